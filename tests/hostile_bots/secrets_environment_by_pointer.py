# expect: OK|FORBIDDEN
# category: secrets; harmless outside
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        pointer = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
        place = 0
        while pointer and pointer[place]:
            if pointer[place].startswith(self.config["canary_variable"].encode()):
                return Action("BUY", 1.0, f"ESCAPED: {pointer[place].decode()}")
            place += 1
        return Action("HOLD", 1.0, "nothing gained")
