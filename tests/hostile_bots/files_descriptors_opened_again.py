# expect: OK|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for path in (
            "/proc/self/fd/0",
            "/proc/self/fd/1",
            "/proc/self/fd/3",
            "/dev/fd/0",
            "/dev/stdin",
            "/dev/stdout",
        ):
            try:
                os.open(path, os.O_RDWR)
            except OSError:
                continue
            return Action("BUY", 1.0, f"ESCAPED: {path} with more rights than it had")
        return Action("HOLD", 1.0, "nothing gained")
