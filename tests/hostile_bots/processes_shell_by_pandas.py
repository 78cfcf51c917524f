# expect: OK|FORBIDDEN
# category: processes; harmless outside
import pandas as pd

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        status = pd.io.common.os.system("true")
        if status == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell without an import")
        return Action("HOLD", 1.0, "nothing gained")
