# expect: FORBIDDEN|FAILED|OK
# category: kernel
import ctypes
import errno
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(167, b"/no/such/file", 0) >= 0 or ctypes.get_errno() == errno.ENOENT:
            return Action("BUY", 1.0, "ESCAPED: may swap")
        raise OSError(ctypes.get_errno(), "refused")
