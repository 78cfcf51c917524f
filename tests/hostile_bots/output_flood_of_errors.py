# expect: TIMED_OUT|FAILED|CRASHED
# category: output
import sys

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        while True:
            sys.stderr.write("x" * 10_000 + "\n")
