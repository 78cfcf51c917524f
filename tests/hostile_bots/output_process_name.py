# expect: OK
# category: output
import ctypes
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        set_name = 15
        ctypes.CDLL(None).prctl(set_name, b"\xff) 1 2\x0bVmHWM:x", 0, 0, 0)
        time.sleep(0.5)
        return Action("HOLD", 1.0, "nothing gained")
