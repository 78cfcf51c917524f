# expect: OK|FAILED
# category: leak; run twice; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        try:
            os.fstat(40)
            is_open = True
        except OSError:
            is_open = False
        if is_open:
            return Action("BUY", 1.0, "ESCAPED: an open pipe of an earlier run")
        os.dup2(os.pipe()[1], 40)
        return Action("HOLD", 1.0, "nothing gained")
