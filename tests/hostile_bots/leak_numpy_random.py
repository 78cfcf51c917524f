# expect: OK
# category: leak; run twice; harmless outside
import numpy as np

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if np.array_equal(np.random.get_state()[1], np.random.RandomState(4242).get_state()[1]):
            return Action("BUY", 1.0, "ESCAPED: foresees the random numbers of others")
        np.random.seed(4242)
        return Action("HOLD", 1.0, "nothing gained")
