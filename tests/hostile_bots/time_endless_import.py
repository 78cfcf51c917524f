# expect: TIMED_OUT
# category: time
from bot_sdk import Action, CustomBot

while True:
    pass


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", 1.0, "ESCAPED")
