# expect: FORBIDDEN|FAILED|OK
# category: processes
import ctypes
import platform
import struct

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        arguments = struct.pack("11Q", 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
        if libc.syscall(435, arguments, len(arguments)) >= 0:
            return Action("BUY", 1.0, "ESCAPED: two processes")
        raise OSError(ctypes.get_errno(), "refused")
