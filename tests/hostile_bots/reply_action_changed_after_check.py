# expect: BAD_REPLY
# category: reply
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        action = Action("BUY", 1.0, "ESCAPED: a value that no check saw")
        object.__setattr__(action, "value", float("nan"))
        return action
