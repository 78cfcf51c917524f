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
        attributes = struct.pack("5I", 2, 4, 4, 1, 0) + bytes(108)
        if libc.syscall(321, 0, attributes, len(attributes)) >= 0:
            return Action("BUY", 1.0, "ESCAPED: a map of the kernel's virtual machine")
        raise OSError(ctypes.get_errno(), "refused")
