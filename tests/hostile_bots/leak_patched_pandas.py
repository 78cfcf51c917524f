# expect: OK
# category: leak; run twice; harmless outside
import pandas as pd

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if hasattr(pd.DataFrame, "left_behind"):
            return Action("BUY", 1.0, "ESCAPED: the pandas of an earlier run")
        pd.DataFrame.left_behind = True
        return Action("HOLD", 1.0, "nothing gained")
