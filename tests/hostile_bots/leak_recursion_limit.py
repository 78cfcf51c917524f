# expect: OK
# category: leak; run twice; harmless outside
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if sys.getrecursionlimit() == 4321:
            return Action("BUY", 1.0, "ESCAPED: settings of an earlier run")
        sys.setrecursionlimit(4321)
        return Action("HOLD", 1.0, "nothing gained")
