# expect: FORBIDDEN|FAILED|OK
# category: kernel
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
        place = os.open("/", os.O_RDONLY)
        handle = struct.pack("IiII", 8, 1, 2, 0)
        if libc.syscall(304, place, handle, 0) >= 0 or ctypes.get_errno() == errno.ESTALE:
            return Action("BUY", 1.0, "ESCAPED: opens any file of the disk")
        raise OSError(ctypes.get_errno(), "refused")
