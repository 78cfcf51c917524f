# expect: FORBIDDEN|FAILED
# category: processes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.sched_setaffinity(os.getppid() or 1, {0})
        return Action("BUY", 1.0, "ESCAPED: the parent may use one core")
