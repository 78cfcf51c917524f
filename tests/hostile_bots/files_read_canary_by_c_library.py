# expect: FAILED|FORBIDDEN
# category: files; harmless outside
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fopen.restype = ctypes.c_void_p
        stream = libc.fopen(self.config["canary_file"].encode(), b"r")
        if not stream:
            raise OSError(ctypes.get_errno(), "refused")
        secret = ctypes.create_string_buffer(100)
        libc.fgets(secret, 100, ctypes.c_void_p(stream))
        return Action("BUY", 1.0, f"ESCAPED: {secret.value.decode()}")
