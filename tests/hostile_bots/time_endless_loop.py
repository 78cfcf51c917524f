# expect: TIMED_OUT
# category: time
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        while True:
            pass
