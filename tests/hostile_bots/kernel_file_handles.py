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
        name, mount = os.__file__.encode(), ctypes.create_string_buffer(4)
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
        if libc.syscall(303, -100, name, handle, mount, 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: a handle that leaves the root")
        raise OSError(ctypes.get_errno(), "refused")
