# expect: FORBIDDEN|FAILED|OK
# category: leak; run twice
import ctypes
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(249, b"user", b"left_behind", None, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: a key of an earlier run")
        if libc.syscall(248, b"user", b"left_behind", b"x", ctypes.c_size_t(1), -4) < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return Action("HOLD", 1.0, "nothing gained")
