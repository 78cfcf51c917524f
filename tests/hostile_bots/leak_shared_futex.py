# expect: OK|FAILED|FORBIDDEN
# category: leak; run twice
import ctypes
import mmap
import os
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        descriptor = os.open(os.__file__, os.O_RDONLY)
        page = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, descriptor, 0)
        if libc.syscall(202, ctypes.c_void_p(page), 1, 100) >= 0:
            return Action("BUY", 1.0, "ESCAPED: a run that waits on this page can be woken")
        raise OSError(ctypes.get_errno(), "refused")
