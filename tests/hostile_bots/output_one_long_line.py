# expect: OK|FAILED
# category: output
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        print("x" * 20_000_000, end="")
        return Action("HOLD", 1.0, "nothing gained")
