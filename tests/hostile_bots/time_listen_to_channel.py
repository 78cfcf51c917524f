# expect: TIMED_OUT
# category: time
import os
import stat

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.read(descriptor, 1)
            except OSError:
                continue
        while True:
            pass
