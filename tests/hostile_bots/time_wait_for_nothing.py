# expect: TIMED_OUT
# category: time
import select

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        select.select([], [], [])
        return Action("BUY", 1.0, "ESCAPED")
