# expect: OK
# category: leak; run twice; harmless outside
import sys

from bot_sdk import Action, CustomBot


class Finder:
    left_behind = True

    def find_spec(self, name, path, target=None):
        return None


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if any(getattr(finder, "left_behind", False) for finder in sys.meta_path):
            return Action("BUY", 1.0, "ESCAPED: an earlier run answers imports")
        sys.meta_path.append(Finder())
        return Action("HOLD", 1.0, "nothing gained")
