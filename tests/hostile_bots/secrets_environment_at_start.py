# expect: OK|FORBIDDEN
# category: secrets; harmless outside
import posix

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        secret = posix.environ.get(self.config["canary_variable"].encode())
        if secret:
            return Action("BUY", 1.0, f"ESCAPED: {secret.decode()}")
        return Action("HOLD", 1.0, "nothing gained")
