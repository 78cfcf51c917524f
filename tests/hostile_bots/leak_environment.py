# expect: OK
# category: leak; run twice; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if "LEFT_BEHIND" in os.environ:
            return Action("BUY", 1.0, "ESCAPED: a variable of an earlier run")
        os.environ["LEFT_BEHIND"] = "yes"
        return Action("HOLD", 1.0, "nothing gained")
