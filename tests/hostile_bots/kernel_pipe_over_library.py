# expect: FORBIDDEN|FAILED|OK
# category: kernel
import ctypes
import os
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        library = os.open(os.__file__, os.O_RDONLY)
        _, write_end = os.pipe()
        if libc.syscall(275, library, None, write_end, None, 1, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: page cache in a pipe")
        raise OSError(ctypes.get_errno(), "refused")
