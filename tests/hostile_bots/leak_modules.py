# expect: OK
# category: leak; run twice; harmless outside
import sys
import types

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if "left_behind" in sys.modules:
            return Action("BUY", 1.0, "ESCAPED: a module of an earlier run")
        sys.modules["left_behind"] = types.ModuleType("left_behind")
        return Action("HOLD", 1.0, "nothing gained")
