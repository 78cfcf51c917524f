# expect: OK
# category: files
import ctypes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    """Name files by addresses where no path is, to break whoever reads it."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        endless = ctypes.create_string_buffer(b"/" * 70_000)
        addresses = [0, 1, 4095, 1 << 47, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, ctypes.addressof(endless)]
        for address in addresses:
            for folder in (-100, -1, 0, 3, 1 << 40):
                for flags in (0, os.O_DIRECTORY | os.O_NOFOLLOW, (1 << 31) - 1 & ~0o1103):
                    if libc.openat(folder, ctypes.c_void_p(address), flags) >= 0:
                        return Action("BUY", 1.0, f"ESCAPED: opened what lies at {address:x}")
        return Action("HOLD", 1.0, "nothing is there")
