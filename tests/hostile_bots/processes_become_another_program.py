# expect: FORBIDDEN
# category: processes
import os
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.execv(sys.executable, [sys.executable, "-c", "while True: pass"])
