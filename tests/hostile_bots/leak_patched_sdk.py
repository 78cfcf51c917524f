# expect: OK
# category: leak; run twice; harmless outside
import bot_sdk.action
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if hasattr(bot_sdk.action, "left_behind"):
            return Action("BUY", 1.0, "ESCAPED: the SDK of an earlier run")
        bot_sdk.action.left_behind = True
        return Action("HOLD", 1.0, "nothing gained")
