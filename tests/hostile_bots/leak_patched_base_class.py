# expect: OK
# category: leak; run twice; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if getattr(CustomBot, "left_behind", False):
            return Action("BUY", 1.0, "ESCAPED: the bots' base class of an earlier run")
        CustomBot.left_behind = True
        CustomBot.get_balance = lambda self, asset: 1e9
        return Action("HOLD", 1.0, "nothing gained")
