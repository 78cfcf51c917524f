# expect: OK
# category: leak; run twice; harmless outside
import decimal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if decimal.DefaultContext.prec == 3:
            return Action("BUY", 1.0, "ESCAPED: money is rounded as an earlier run said")
        decimal.DefaultContext.prec = 3
        return Action("HOLD", 1.0, "nothing gained")
