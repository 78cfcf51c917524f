# expect: OK
# category: leak; run twice; harmless outside
import numpy as np

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if np.geterrcall() is not None:
            return Action("BUY", 1.0, "ESCAPED: settings of an earlier run")
        np.seterrcall(lambda *_: None)
        return Action("HOLD", 1.0, "nothing gained")
