# expect: CRASHED|FAILED|BAD_REPLY|TIMED_OUT
# category: reply
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.closerange(0, 1 << 20)
        return Action("BUY", 1.0, "an answer for nobody")
