# expect: FORBIDDEN|FAILED|OK
# category: kernel
import ctypes
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(248, b"user", b"left_behind", b"x", 1, -4) >= 0:
            return Action("BUY", 1.0, "ESCAPED: a key that outlives the run")
        raise OSError(ctypes.get_errno(), "refused")
