# expect: FORBIDDEN|FAILED
# category: code
import pathlib

from numpy import __file__ as library

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        poison = pathlib.Path(library).parents[1] / "left_behind.pth"
        poison.write_text("import os; os.environ['LEFT_BEHIND'] = 'yes'")
        return Action("BUY", 1.0, "ESCAPED: runs at every start of Python")
