# expect: BAD_REPLY|FAILED|OK|TIMED_OUT|CRASHED
# category: reply
import os
import stat

from bot_sdk import Action, CustomBot


def say(line):
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, line)
        except OSError:
            continue


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for _ in range(100_000):
            say(b'{"ask": "account", "with": []}\n' * 100)
        return Action("HOLD", 1.0, "nothing gained")
