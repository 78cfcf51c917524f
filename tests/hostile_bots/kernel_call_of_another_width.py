# expect: FORBIDDEN
# category: kernel
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(0x40000000 + 39) >= 0:
            return Action("BUY", 1.0, "ESCAPED: the second table of calls is open")
        raise OSError(ctypes.get_errno(), "refused")
