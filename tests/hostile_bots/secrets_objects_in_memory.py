# expect: OK
# category: secrets
import gc

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for found in gc.get_objects():
            if isinstance(found, dict) and self.config["canary_variable"] in found:
                return Action("BUY", 1.0, "ESCAPED: the variable's name is a key in this process")
        return Action("HOLD", 1.0, "nothing gained")
