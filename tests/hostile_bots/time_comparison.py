# expect: TIMED_OUT
# category: time
from bot_sdk import Action, CustomBot


class Slow:
    def __lt__(self, other):
        while True:
            pass


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        sorted([Slow(), Slow()])
        return Action("BUY", 1.0, "ESCAPED")
