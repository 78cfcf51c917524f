# expect: FAILED|FORBIDDEN
# category: files; harmless outside
import pathlib

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", 1.0, f"ESCAPED: {pathlib.Path('/etc/passwd').read_text()[:20]}")
