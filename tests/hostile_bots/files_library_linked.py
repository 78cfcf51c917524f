# expect: FAILED|FORBIDDEN
# category: files
import os

from numpy import __file__ as library

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        folder = os.path.dirname(library)
        os.symlink("/etc/passwd", f"{folder}/left_behind")
        return Action("BUY", 1.0, "ESCAPED: a link in a library")
