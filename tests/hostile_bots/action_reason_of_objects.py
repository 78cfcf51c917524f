# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        action = Action("BUY", 1.0, "ESCAPED")
        object.__setattr__(action, "reason", ["BUY"] * 600)
        return action
