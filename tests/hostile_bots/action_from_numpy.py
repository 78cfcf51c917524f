# expect: OK
# category: action
import numpy as np

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("HOLD", np.float32(3.5), str(np.str_("nothing gained")))
