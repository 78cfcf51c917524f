# expect: FAILED|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.utime(os.__file__, (1, 1))
        return Action("BUY", 1.0, "ESCAPED: compiled files look newer than their source")
