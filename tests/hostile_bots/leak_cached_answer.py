# expect: OK
# category: leak; run twice; harmless outside
import fnmatch

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        before = fnmatch._compile_pattern.cache_info().hits
        fnmatch.filter([], "left behind")
        if fnmatch._compile_pattern.cache_info().hits > before:
            return Action("BUY", 1.0, "ESCAPED: a cache of an earlier run")
        fnmatch.filter([], "left behind")
        return Action("HOLD", 1.0, "nothing gained")
