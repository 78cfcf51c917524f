# expect: TIMED_OUT|FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Slow(float):
    def __float__(self):
        while True:
            pass


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", Slow(), "ESCAPED")
