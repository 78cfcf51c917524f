# expect: FORBIDDEN|FAILED
# category: leak; run twice
import ctypes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mq_open(b"/left_behind", os.O_RDWR) >= 0:
            return Action("BUY", 1.0, "ESCAPED: a queue of an earlier run")
        if libc.mq_open(b"/left_behind", os.O_RDWR | os.O_CREAT, 0o666, None) < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return Action("HOLD", 1.0, "nothing gained")
