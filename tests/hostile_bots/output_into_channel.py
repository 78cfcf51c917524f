# expect: BAD_REPLY|FORBIDDEN|FAILED
# category: output
import os
import stat

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.dup2(descriptor, 1)
            except OSError:
                continue
        print("printed into the channel", flush=True)
        return Action("HOLD", 1.0, "nothing gained")
