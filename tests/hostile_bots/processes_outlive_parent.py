# expect: TIMED_OUT|FORBIDDEN|FAILED
# category: processes
import ctypes
import time

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        death_signal, adopt_orphans = 1, 36
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(death_signal, 0, 0, 0, 0) != 0 or libc.prctl(adopt_orphans, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "refused")
        time.sleep(10_000)
