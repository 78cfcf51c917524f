# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Evasive(Action):
    def __getattribute__(self, name):
        raise SystemExit(name)


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Evasive("BUY", 1.0, "ESCAPED")
