# expect: FORBIDDEN|FAILED|OK
# category: kernel
import ctypes
import platform
import struct

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc, unlimited = ctypes.CDLL(None, use_errno=True), struct.pack("QQ", 1 << 63, 1 << 63)
        for limit in (0, 2, 6, 7, 9):
            if libc.syscall(302, 0, limit, unlimited, None) == 0 or libc.syscall(160, limit, unlimited) == 0:
                return Action("BUY", 1.0, f"ESCAPED: no limit {limit}")
        raise OSError(ctypes.get_errno(), "refused")
