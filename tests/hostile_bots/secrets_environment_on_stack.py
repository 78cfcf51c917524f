# expect: OK|CRASHED|FORBIDDEN
# category: secrets; harmless outside
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        program_name, reach = 31, 32 << 10
        libc = ctypes.CDLL(None)
        libc.getauxval.restype = ctypes.c_ulong
        top = libc.getauxval(ctypes.c_ulong(program_name))
        for variable in ctypes.string_at(top - reach, reach).split(b"\0"):
            if variable.startswith(self.config["canary_variable"].encode() + b"="):
                return Action("BUY", 1.0, f"ESCAPED: {variable.decode()}")
        return Action("HOLD", 1.0, "nothing gained")
