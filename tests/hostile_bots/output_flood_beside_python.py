# expect: TIMED_OUT|FAILED|CRASHED
# category: output
import os

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        while True:
            os.write(1, b"x" * 65_536)
            os.write(2, b"x" * 65_536)
