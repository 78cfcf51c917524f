# expect: TIMED_OUT|BAD_REPLY
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
        say(b'{"action": "BUY", "reason": "')
        while True:
            say(b" ")
            time.sleep(0.02)
