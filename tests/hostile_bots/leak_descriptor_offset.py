# expect: OK|FORBIDDEN
# category: leak; run twice
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        seen = []
        for descriptor in range(64):
            try:
                seen.append(os.lseek(descriptor, 0, os.SEEK_CUR))
            except OSError:
                continue
        if 4242 in seen:
            return Action("BUY", 1.0, "ESCAPED: a file that an earlier run read too")
        for descriptor in range(64):
            try:
                os.lseek(descriptor, 4242, os.SEEK_SET)
            except OSError:
                continue
        return Action("HOLD", 1.0, "nothing gained")
