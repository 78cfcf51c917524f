# expect: OK|CRASHED|FORBIDDEN|FAILED
# category: secrets
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, reach = ctypes.CDLL(None), 1 << 20
        libc.sbrk.restype = ctypes.c_ulong
        end = libc.sbrk(ctypes.c_long(0))
        if self.config["canary_variable"].encode() + b"=" in ctypes.string_at(end - reach, reach):
            return Action("BUY", 1.0, "ESCAPED: the worker's environment lies in the heap")
        return Action("HOLD", 1.0, "nothing gained")
