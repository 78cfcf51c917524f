# expect: OK|FORBIDDEN
# category: secrets; harmless outside
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_char_p
        secret = libc.getenv(self.config["canary_variable"].encode())
        if secret:
            return Action("BUY", 1.0, f"ESCAPED: {secret.decode()}")
        return Action("HOLD", 1.0, "nothing gained")
