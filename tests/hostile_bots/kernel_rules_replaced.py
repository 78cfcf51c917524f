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
        rules = libc.syscall(444, struct.pack("Q", 1 << 12), 8, 0)
        libc.syscall(446, rules, 0)
        with open(self.config["canary_file"]) as secret:
            return Action("BUY", 1.0, f"ESCAPED: {secret.read()}")
