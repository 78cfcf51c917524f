# expect: FORBIDDEN|FAILED
# category: processes; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        handle = os.pidfd_open(os.getppid() or 1)
        return Action("BUY", 1.0, f"ESCAPED: holds another process by {handle}")
