# expect: FORBIDDEN|FAILED
# category: leak; run twice
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, key = ctypes.CDLL(None, use_errno=True), 0x1EF7BE41
        if libc.shmget(key, ctypes.c_size_t(4096), 0) >= 0:
            return Action("BUY", 1.0, "ESCAPED: memory of an earlier run")
        if libc.shmget(key, ctypes.c_size_t(4096), 0o1666) < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return Action("HOLD", 1.0, "nothing gained")
