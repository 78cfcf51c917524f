# expect: FORBIDDEN
# category: kernel
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        attach = 16
        if libc.ptrace(attach, 1, None, None) == 0:
            return Action("BUY", 1.0, "ESCAPED: traces process 1")
        raise OSError(ctypes.get_errno(), "refused")
