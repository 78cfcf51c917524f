# expect: OK|FAILED|CRASHED
# category: output
import os
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        sys.stdout.close()
        sys.stderr = None
        os.close(1)
        os.close(2)
        return Action("HOLD", 1.0, "nothing gained")
