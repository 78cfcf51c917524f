# expect: FORBIDDEN|FAILED|OK
# category: network
import ctypes
import platform

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        for family in range(1, 46):
            for kind in (1, 2, 3, 5):
                if libc.syscall(41, family, kind, 0) >= 0:
                    return Action("BUY", 1.0, f"ESCAPED: a socket of family {family}")
        raise OSError(ctypes.get_errno(), "refused")
