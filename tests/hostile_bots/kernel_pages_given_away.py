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
        gift = ctypes.create_string_buffer(4096)
        pieces = struct.pack("QQ", ctypes.addressof(gift), 4096)
        _, write_end = os.pipe()
        if libc.syscall(278, write_end, pieces, 1, 8) >= 0:
            return Action("BUY", 1.0, "ESCAPED: gave pages to a pipe")
        raise OSError(ctypes.get_errno(), "refused")
