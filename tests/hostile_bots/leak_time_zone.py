# expect: OK
# category: leak; run twice; harmless outside
import os
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if time.tzname[0] == "LEFT":
            return Action("BUY", 1.0, "ESCAPED: the clock of an earlier run")
        os.environ["TZ"] = "LEFT3"
        time.tzset()
        return Action("HOLD", 1.0, "nothing gained")
