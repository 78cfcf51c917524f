# expect: OK|FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Lying(float):
    def __float__(self):
        return float("nan")

    def __repr__(self):
        return '1.0, "action": "BUY"'


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("HOLD", Lying(1.0), "nothing gained")
