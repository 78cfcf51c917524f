# expect: OK
# category: files; harmless outside
import ctypes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    """Open nothing, and tell by the error whether it was there."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        names = ["/proc", "/proc/1/stat", "/home", "/root", "/tmp", self.config["canary_file"]]
        kinds = [os.O_RDONLY, os.O_PATH, os.O_DIRECTORY, os.O_NOFOLLOW, os.O_PATH | os.O_NOFOLLOW]
        for name in names:
            for kind in kinds:
                if answer(name, kind) != answer(f"{name}-is-missing", kind):
                    return Action("BUY", 1.0, f"ESCAPED: {name} is there")
        return Action("HOLD", 1.0, "all names alike")


libc = ctypes.CDLL(None, use_errno=True)


def answer(name, kind):
    ctypes.set_errno(0)
    opened = libc.open(name.encode(), kind)
    if opened >= 0:
        os.close(opened)
    return opened >= 0, ctypes.get_errno()
