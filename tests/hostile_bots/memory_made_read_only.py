# expect: OUT_OF_MEMORY
# category: memory
import ctypes
import mmap
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, size, private, anonymous, read = ctypes.CDLL(None), 32 << 20, 0x02, 0x20, 1
        hoard = []
        for _ in range(20):
            block = mmap.mmap(-1, size, flags=private | anonymous)
            block[:: mmap.PAGESIZE] = b"x" * (size // mmap.PAGESIZE)
            hoard.append(ctypes.c_char.from_buffer(block))
            libc.mprotect(ctypes.c_void_p(ctypes.addressof(hoard[-1])), ctypes.c_size_t(size), read)
        time.sleep(1)
        return Action("BUY", 1.0, "ESCAPED: memory that no longer counts as data")
