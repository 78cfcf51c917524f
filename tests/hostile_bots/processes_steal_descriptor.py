# expect: FORBIDDEN|FAILED|OK
# category: processes
import ctypes
import os
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        handle = libc.syscall(434, os.getppid() or 1, 0)
        if libc.syscall(438, handle, 0, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: a file of another process")
        raise OSError(ctypes.get_errno(), "refused")
