# expect: OK
# category: leak; run twice; harmless outside
import random

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if random.getstate() == random.Random(4242).getstate():
            return Action("BUY", 1.0, "ESCAPED: foresees the random numbers of others")
        random.seed(4242)
        return Action("HOLD", 1.0, "nothing gained")
