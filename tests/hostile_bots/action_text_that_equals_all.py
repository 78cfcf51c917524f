# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Verb(str):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("BUY")


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action(Verb("WITHDRAW"), 1.0, "ESCAPED")
