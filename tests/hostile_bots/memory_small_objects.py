# expect: OUT_OF_MEMORY|TIMED_OUT
# category: memory
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hoard = []
        while True:
            hoard.append(object())
