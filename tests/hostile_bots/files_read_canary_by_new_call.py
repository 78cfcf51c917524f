# expect: FAILED|FORBIDDEN|OK
# category: files
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
        descriptor = libc.syscall(
            437, -100, self.config["canary_file"].encode(), struct.pack("QQQ", os.O_RDONLY, 0, 0), 24
        )
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return Action("BUY", 1.0, f"ESCAPED: {os.read(descriptor, 100).decode()}")
