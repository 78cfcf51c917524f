# expect: OK|FORBIDDEN
# category: code; harmless outside
import importlib.abc
import importlib.util
import sys

from bot_sdk import Action, CustomBot


class Hook(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self) if name == "indicators_for_free" else None

    def get_source(self, name):
        return "import os; status = os.system('true')"


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        sys.meta_path.insert(0, Hook())
        import indicators_for_free

        if indicators_for_free.status == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
