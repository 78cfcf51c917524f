# expect: FORBIDDEN|CRASHED|FAILED
# category: processes
import os
import signal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(0, signal.SIGTERM)
        return Action("BUY", 1.0, "ESCAPED: signals its group")
