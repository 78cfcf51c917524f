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
        log = ctypes.create_string_buffer(4096)
        if libc.syscall(103, 3, log, len(log)) > 0:
            return Action("BUY", 1.0, "ESCAPED: reads the kernel's log")
        raise OSError(ctypes.get_errno(), "refused")
