# expect: OK
# category: leak; run twice; harmless outside
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None)
        if libc.getenv(b"LEFT_BEHIND_IN_C"):
            return Action("BUY", 1.0, "ESCAPED: a variable of an earlier run")
        libc.setenv(b"LEFT_BEHIND_IN_C", b"yes", 1)
        return Action("HOLD", 1.0, "nothing gained")
