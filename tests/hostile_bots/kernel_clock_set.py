# expect: FORBIDDEN|FAILED
# category: kernel
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        time.clock_settime(time.CLOCK_REALTIME, time.time())
        return Action("BUY", 1.0, "ESCAPED: sets the clock that orders are stamped with")
