# expect: CRASHED|FAILED|BAD_REPLY|FORBIDDEN|TIMED_OUT|OK
# category: reply
import ctypes
import os
import stat

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        reading = 0
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    ctypes.CDLL(None).shutdown(descriptor, reading)
            except OSError:
                continue
        return Action("HOLD", 1.0, "nothing gained")
