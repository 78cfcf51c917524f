# expect: FAILED|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.rename(os.__file__, os.__file__ + ".moved")
        os.rename(os.__file__ + ".moved", os.__file__)
        return Action("BUY", 1.0, "ESCAPED: can rename a library")
