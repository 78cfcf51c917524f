# expect: OK
# category: output
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("HOLD", 1.0, "nothing gained" + "x" * 10_000_000)
