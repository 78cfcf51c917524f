# expect: TIMED_OUT
# category: time
import re

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        re.match(r"(a+)+$", "a" * 60 + "b")
        return Action("BUY", 1.0, "ESCAPED")
