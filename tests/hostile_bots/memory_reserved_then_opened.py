# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED|FORBIDDEN
# category: memory
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, size, nothing, read_write, private_anonymous = ctypes.CDLL(None), 1 << 30, 0, 3, 0x4022
        libc.mmap.restype = ctypes.c_void_p
        place = libc.mmap(None, ctypes.c_size_t(size), nothing, private_anonymous, -1, ctypes.c_long(0))
        if place == ctypes.c_void_p(-1).value or libc.mprotect(
            ctypes.c_void_p(place), ctypes.c_size_t(size), read_write
        ):
            raise MemoryError
        ctypes.memset(place, 1, size)
        return Action("BUY", 1.0, "ESCAPED: 1 GB")
