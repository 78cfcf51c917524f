# expect: FAILED|BAD_REPLY
# category: action
import numpy as np

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", np.bool_(True), "ESCAPED")
