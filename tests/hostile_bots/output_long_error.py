# expect: FAILED
# category: output
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        raise ValueError("x" * 10_000_000)
