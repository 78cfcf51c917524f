# expect: OK
# category: leak; run twice; harmless outside
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if "/left/behind" in sys.path_importer_cache or "/left/behind" in sys.path:
            return Action("BUY", 1.0, "ESCAPED: imports look where an earlier run said")
        sys.path.insert(0, "/left/behind")
        sys.path_importer_cache["/left/behind"] = None
        return Action("HOLD", 1.0, "nothing gained")
