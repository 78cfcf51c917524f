# expect: FORBIDDEN|FAILED
# category: processes
import os
import signal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.kill(os.getppid() or 1, signal.SIGKILL)
        return Action("BUY", 1.0, "ESCAPED: killed who started it")
