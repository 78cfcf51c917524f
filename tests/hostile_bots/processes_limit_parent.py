# expect: FORBIDDEN|FAILED
# category: processes
import os
import resource

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        resource.prlimit(os.getppid() or 1, resource.RLIMIT_CPU, (1, 1))
        return Action("BUY", 1.0, "ESCAPED: set a limit for who started it")
