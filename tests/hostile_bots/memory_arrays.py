# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
import numpy as np

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hoard = []
        while True:
            hoard.append(np.full(1 << 17, 1.0))
