# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        yield Action("BUY", 1.0, "ESCAPED")
