# expect: OK|FORBIDDEN
# category: secrets; harmless outside
import importlib.util

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if importlib.util.find_spec("marketplace"):
            return Action("BUY", 1.0, "ESCAPED: the platform's code and settings can be read")
        return Action("HOLD", 1.0, "nothing gained")
