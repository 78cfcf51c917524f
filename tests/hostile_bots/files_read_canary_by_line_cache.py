# expect: OK|FORBIDDEN
# category: files; harmless outside
import linecache

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        secret = linecache.getline(self.config["canary_file"], 1)
        if secret:
            return Action("BUY", 1.0, f"ESCAPED: {secret}")
        return Action("HOLD", 1.0, "nothing gained")
