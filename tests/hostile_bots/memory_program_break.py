# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, block = ctypes.CDLL(None), 1 << 20
        libc.sbrk.restype = ctypes.c_long
        for _ in range(4096):
            place = libc.sbrk(ctypes.c_long(block))
            if place == -1:
                raise MemoryError
            ctypes.memset(place, 1, block)
        return Action("BUY", 1.0, "ESCAPED: 4 GB")
