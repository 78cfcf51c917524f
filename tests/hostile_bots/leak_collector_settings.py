# expect: OK
# category: leak; run twice; harmless outside
import gc

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if gc.get_threshold() == (123, 4, 5):
            return Action("BUY", 1.0, "ESCAPED: settings of an earlier run")
        gc.set_threshold(123, 4, 5)
        return Action("HOLD", 1.0, "nothing gained")
