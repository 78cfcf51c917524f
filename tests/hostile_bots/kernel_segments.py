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
        descriptor = struct.pack("4I", 0, 0, 1, 0x51)
        if libc.syscall(154, 17, descriptor, len(descriptor)) == 0:
            return Action("BUY", 1.0, "ESCAPED: a segment of its own")
        raise OSError(ctypes.get_errno(), "refused")
