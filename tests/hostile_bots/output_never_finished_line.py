# expect: TIMED_OUT
# category: output
import sys
import time

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        while True:
            sys.stdout.write("\r")
            sys.stdout.flush()
            time.sleep(0.01)
