# expect: TIMED_OUT
# category: time
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        time.sleep(10_000)
        return Action("BUY", 1.0, "ESCAPED")
