# expect: FAILED|FORBIDDEN
# category: files; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with open("../" * 40 + self.config["canary_file"].lstrip("/")) as secret:
            return Action("BUY", 1.0, f"ESCAPED: {secret.read()}")
