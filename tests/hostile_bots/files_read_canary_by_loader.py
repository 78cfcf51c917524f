# expect: FAILED|FORBIDDEN
# category: files; harmless outside
from importlib.machinery import SourceFileLoader

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        secret = SourceFileLoader("secret", self.config["canary_file"]).get_data(self.config["canary_file"])
        return Action("BUY", 1.0, f"ESCAPED: {secret.decode()}")
