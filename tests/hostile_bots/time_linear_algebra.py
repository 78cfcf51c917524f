# expect: TIMED_OUT
# category: time
import numpy as np

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        matrix = np.ones((500, 500))
        while True:
            np.linalg.svd(matrix)
