# expect: FORBIDDEN|FAILED|OK
# category: processes
import ctypes
import os
import platform
import struct

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        process, taken = os.getppid() or 1, ctypes.create_string_buffer(64)
        here = struct.pack("QQ", ctypes.addressof(taken), 64)
        there = struct.pack("QQ", id(process), 64)
        if libc.syscall(310, process, here, 1, there, 1, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: reads another process")
        raise OSError(ctypes.get_errno(), "refused")
