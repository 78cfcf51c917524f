# expect: BAD_REPLY
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
        say(b'{"action": "BUY", "value": 1.0, "reason": "ESCAPED\xff\xfe"}\n')
        return Action("HOLD", 1.0, "nothing gained")
