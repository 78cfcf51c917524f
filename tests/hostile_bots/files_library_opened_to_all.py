# expect: FAILED|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.chmod(os.__file__, 0o666)
        return Action("BUY", 1.0, "ESCAPED: anyone may write the library")
