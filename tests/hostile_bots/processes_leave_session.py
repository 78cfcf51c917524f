# expect: TIMED_OUT|FORBIDDEN|FAILED
# category: processes
import os

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.setsid()
        while True:
            pass
