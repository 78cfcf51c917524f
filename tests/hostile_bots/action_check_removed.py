# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        Action.__post_init__ = lambda self: None
        return Action("WITHDRAW", {"all": True}, "ESCAPED")
