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
        libc = ctypes.CDLL(None, use_errno=True)
        event = struct.pack("IIQ", 1, 112, 0) + bytes(24) + struct.pack("Q", 0x60) + bytes(64)
        if libc.syscall(298, event, 0, -1, -1, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: measures what the neighbours do")
        raise OSError(ctypes.get_errno(), "refused")
