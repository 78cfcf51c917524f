# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, block = ctypes.CDLL(None), 1 << 20
        libc.malloc.restype = ctypes.c_void_p
        for _ in range(4096):
            place = libc.malloc(ctypes.c_size_t(block))
            if not place:
                raise MemoryError
            ctypes.memset(place, 1, block)
        return Action("BUY", 1.0, "ESCAPED: 4 GB")
