# expect: FORBIDDEN|FAILED
# category: processes
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(0, 0, None, None) == 0:
            return Action("BUY", 1.0, "ESCAPED: its parent became its debugger")
        raise OSError(ctypes.get_errno(), "refused")
