# expect: TIMED_OUT
# category: output
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        while True:
            print("x" * 10_000)
