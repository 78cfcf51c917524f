# expect: OK|FORBIDDEN
# category: leak; run twice; harmless outside
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, name, get_name, set_name = ctypes.CDLL(None), ctypes.create_string_buffer(16), 16, 15
        libc.prctl(get_name, name, 0, 0, 0)
        if name.value == b"left behind":
            return Action("BUY", 1.0, "ESCAPED: the name of an earlier run")
        libc.prctl(set_name, b"left behind", 0, 0, 0)
        return Action("HOLD", 1.0, "nothing gained")
