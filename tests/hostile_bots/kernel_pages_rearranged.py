# expect: FORBIDDEN|FAILED|OK
# category: kernel
import ctypes
import mmap
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        size = mmap.PAGESIZE
        pages = mmap.mmap(-1, size)
        place = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(pages)))
        if libc.syscall(216, place, size, 0, 0, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: pages in another order")
        raise OSError(ctypes.get_errno(), "refused")
