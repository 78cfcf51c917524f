# expect: FAILED|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.setxattr(os.__file__, "user.left_behind", b"for the next run")
        return Action("BUY", 1.0, "ESCAPED: wrote an attribute")
