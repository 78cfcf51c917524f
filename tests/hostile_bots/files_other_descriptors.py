# expect: OK|FORBIDDEN
# category: files
import os
import stat

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        files = []
        for descriptor in range(3, 1024):
            try:
                mode = os.fstat(descriptor).st_mode
            except OSError:
                continue
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISBLK(mode):
                files.append(descriptor)
        if files:
            return Action("BUY", 1.0, f"ESCAPED: open files were handed down, {files}")
        return Action("HOLD", 1.0, "nothing gained")
