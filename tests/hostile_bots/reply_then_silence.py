# expect: OK|TIMED_OUT
# category: reply
import os
import stat
import time

from bot_sdk import CustomBot


def say(line):
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, line)
        except OSError:
            continue


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        say(b'{"action": "HOLD", "value": 1.0, "reason": "nothing gained"}\n')
        time.sleep(10_000)
