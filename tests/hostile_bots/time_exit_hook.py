# expect: OK|TIMED_OUT
# category: time
import atexit
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        atexit.register(time.sleep, 10_000)
        return Action("HOLD", 1.0, "nothing gained")
