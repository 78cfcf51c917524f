# expect: FORBIDDEN
# category: processes
import os
import signal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.kill(-1, signal.SIGKILL)
        return Action("BUY", 1.0, "ESCAPED: signals go out")
