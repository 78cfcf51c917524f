# expect: FAILED|FORBIDDEN|OK
# category: code
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        breakpoint()
        return Action("HOLD", 1.0, "nothing gained")
