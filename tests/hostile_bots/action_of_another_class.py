# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Pretender:
    __class__ = Action
    action, value, reason = "WITHDRAW", 1.0, "ESCAPED"


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Pretender()
