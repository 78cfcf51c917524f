# expect: OK
# category: leak; run twice; harmless outside
import atexit

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if atexit._ncallbacks() >= 1000:
            return Action("BUY", 1.0, "ESCAPED: an earlier run runs at the end")
        for _ in range(1000):
            atexit.register(int)
        return Action("HOLD", 1.0, "nothing gained")
