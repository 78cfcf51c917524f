# expect: OK
# category: output
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.write(1, bytes(range(256)) * 100)
        os.write(2, b"\xff\xfe\x00\xd8" * 100)
        return Action("HOLD", 1.0, "nothing gained")
