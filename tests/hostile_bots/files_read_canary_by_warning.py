# expect: OK|FORBIDDEN|FAILED
# category: files; harmless outside
import warnings

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        shown = warnings.formatwarning("look here", UserWarning, self.config["canary_file"], 1).splitlines()
        if len(shown) > 1:
            return Action("BUY", 1.0, f"ESCAPED: {shown[1].strip()}")
        return Action("HOLD", 1.0, "nothing gained")
