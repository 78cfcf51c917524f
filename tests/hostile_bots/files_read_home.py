# expect: FAILED|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", 1.0, f"ESCAPED: {os.listdir('/root') + os.listdir('/home')}")
