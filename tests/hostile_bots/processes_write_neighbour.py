# expect: FORBIDDEN|FAILED|OK
# category: processes
import ctypes
import errno
import os
import platform
import struct

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if platform.machine() != "x86_64":
            return Action("HOLD", 1.0, "system calls have other numbers here")
        libc = ctypes.CDLL(None, use_errno=True)
        process, given = os.getppid() or 1, ctypes.create_string_buffer(1)
        here = struct.pack("QQ", ctypes.addressof(given), 1)
        there = struct.pack("QQ", 8, 1)
        if libc.syscall(311, process, here, 1, there, 1, 0) >= 0 or ctypes.get_errno() == errno.EFAULT:
            return Action("BUY", 1.0, "ESCAPED: writes another process")
        raise OSError(ctypes.get_errno(), "refused")
