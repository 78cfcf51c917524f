# expect: OK|FORBIDDEN|FAILED
# category: leak; run twice; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if os.getpriority(os.PRIO_PROCESS, 0) == 13:
            return Action("BUY", 1.0, "ESCAPED: the priority of an earlier run")
        os.setpriority(os.PRIO_PROCESS, 0, 13)
        return Action("HOLD", 1.0, "nothing gained")
