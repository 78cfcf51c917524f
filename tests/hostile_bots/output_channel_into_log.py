# expect: CRASHED|TIMED_OUT|FAILED|FORBIDDEN|BAD_REPLY
# category: output
import os
import stat

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.dup2(1, descriptor)
            except OSError:
                continue
        return Action("BUY", 1.0, "an answer that ends in the log")
