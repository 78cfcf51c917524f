# expect: OK
# category: leak; run twice; harmless outside
import json

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if hasattr(json, "left_behind"):
            return Action("BUY", 1.0, "ESCAPED: the encoder of an earlier run")
        json.left_behind = True
        return Action("HOLD", 1.0, "nothing gained")
