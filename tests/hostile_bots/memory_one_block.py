# expect: OUT_OF_MEMORY
# category: memory
import numpy as np

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", float(np.ones(1 << 30).sum()), "ESCAPED: 8 GB")
