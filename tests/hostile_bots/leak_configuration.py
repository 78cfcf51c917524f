# expect: OK
# category: leak; run twice
import gc

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if "left_behind" in self.config or "left_behind" in subscription_config:
            return Action("BUY", 1.0, "ESCAPED: the settings of an earlier run")
        for found in gc.get_objects():
            if type(found) is dict and ("canary_file" in found or "trading_pair" in found):
                found["left_behind"] = True
        return Action("HOLD", 1.0, "nothing gained")
