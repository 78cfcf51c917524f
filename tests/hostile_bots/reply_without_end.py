# expect: BAD_REPLY
# category: reply
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for descriptor in range(3, 1024):
            try:
                os.write(descriptor, b"x" * 1_000_000)
            except OSError:
                continue
        return Action("HOLD", 1.0, "nothing gained")
