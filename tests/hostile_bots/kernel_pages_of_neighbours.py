# expect: FORBIDDEN|FAILED|OK
# category: kernel
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
        process, status = os.getppid() or 1, ctypes.create_string_buffer(4)
        pages = struct.pack("Q", id(process) & ~4095)
        if libc.syscall(279, process, 1, pages, None, status, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: looks into another process")
        raise OSError(ctypes.get_errno(), "refused")
