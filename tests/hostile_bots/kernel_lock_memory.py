# expect: FORBIDDEN|FAILED|OUT_OF_MEMORY
# category: kernel
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        everything_now_and_later = 3
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mlockall(everything_now_and_later) == 0:
            return Action("BUY", 1.0, "ESCAPED: memory that is never swapped")
        raise OSError(ctypes.get_errno(), "refused")
