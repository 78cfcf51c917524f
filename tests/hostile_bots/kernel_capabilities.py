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
        header, sets = struct.pack("Ii", 0x20080522, 0), b"\xff" * 24
        if libc.syscall(126, header, sets) >= 0:
            return Action("BUY", 1.0, "ESCAPED: gave itself every right")
        raise OSError(ctypes.get_errno(), "refused")
