# expect: OK|BAD_REPLY
# category: reply
import os
import stat

from bot_sdk import Action, CustomBot

for descriptor in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            os.write(descriptor, b'{"action": "HOLD", "value": 1.0, "reason": "nothing gained"}\n')
    except OSError:
        continue


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("HOLD", 2.0, "the second answer")
