# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hoard = {}
        while True:
            hoard[len(hoard)] = str(len(hoard))
