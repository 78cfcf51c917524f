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
        process = os.getppid() or 1
        if libc.syscall(200, process, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: signals reach others")
        raise OSError(ctypes.get_errno(), "refused")
