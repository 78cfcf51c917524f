# expect: TIMED_OUT
# category: reply
import os
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for descriptor in range(3, 1024):
            try:
                os.write(descriptor, b'{"action": "BUY", ')
            except OSError:
                continue
        time.sleep(10_000)
