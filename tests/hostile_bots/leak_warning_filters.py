# expect: OK
# category: leak; run twice; harmless outside
import warnings

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if any(module and "left_behind" in str(module) for *_, module, _ in warnings.filters):
            return Action("BUY", 1.0, "ESCAPED: settings of an earlier run")
        warnings.filterwarnings("ignore", module="left_behind")
        return Action("HOLD", 1.0, "nothing gained")
