# expect: FORBIDDEN|FAILED
# category: processes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        return Action("BUY", 1.0, "ESCAPED: before all others")
