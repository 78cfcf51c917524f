# expect: OK|FORBIDDEN|FAILED
# category: leak; run twice; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        folder = os.path.dirname(os.path.realpath(os.__file__))
        if os.getcwd() == folder:
            return Action("BUY", 1.0, "ESCAPED: the folder of an earlier run")
        os.chdir(folder)
        return Action("HOLD", 1.0, "nothing gained")
