# expect: FORBIDDEN|FAILED
# category: memory
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, private, create = ctypes.CDLL(None, use_errno=True), 0, 0o1600
        if libc.shmget(private, ctypes.c_size_t(1 << 28), create) >= 0:
            return Action("BUY", 1.0, "ESCAPED: memory that outlives the run")
        raise OSError(ctypes.get_errno(), "refused")
