# expect: FORBIDDEN|FAILED|OK
# category: secrets
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc, set_dumpable = ctypes.CDLL(None), 4
        libc.prctl(set_dumpable, 1, 0, 0, 0)
        try:
            with open("/proc/self/mem", "rb") as memory:
                return Action("BUY", 1.0, f"ESCAPED: memory as the file {memory.name}")
        except FileNotFoundError:
            return Action("HOLD", 1.0, "nothing gained")
