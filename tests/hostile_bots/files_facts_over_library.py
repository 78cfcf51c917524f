# expect: OK|CRASHED
# category: files
import ctypes
import mmap
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    """Have a file's facts written where this process may not write: over a library, and nowhere."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        path = os.fsencode(os.__file__)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        with open(path, "rb") as file:
            before = file.read(512)
            for sharing in (mmap.MAP_SHARED, mmap.MAP_PRIVATE):
                page = libc.mmap(None, 4096, mmap.PROT_READ, sharing, file.fileno(), 0)
                addresses = [page, page + 4090, 0, 1, 1 << 47, (1 << 63) - 8, 1 << 63, (1 << 64) - 1]
                for address in addresses:
                    libc.fstatat(-100, path, ctypes.c_void_p(address), 0)
                if sharing == mmap.MAP_SHARED and ctypes.string_at(page, 512) != before:
                    return Action("BUY", 1.0, "ESCAPED: wrote to the mapping that all share")
            file.seek(0)
            if file.read(512) != before:
                return Action("BUY", 1.0, "ESCAPED: wrote to the library")
        return Action("HOLD", 1.0, "only its own copy")
