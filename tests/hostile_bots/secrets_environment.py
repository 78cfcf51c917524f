# expect: OK
# category: secrets; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if self.config["canary_variable"] in os.environ:
            return Action("BUY", 1.0, f"ESCAPED: {os.environ[self.config['canary_variable']]}")
        return Action("HOLD", 1.0, "nothing gained")
