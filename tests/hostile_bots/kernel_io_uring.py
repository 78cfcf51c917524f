# expect: FORBIDDEN
# category: kernel
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(425, 8, ctypes.create_string_buffer(256)) >= 0:
            return Action("BUY", 1.0, "ESCAPED: has a ring past the filter")
        raise OSError(ctypes.get_errno(), "refused")
