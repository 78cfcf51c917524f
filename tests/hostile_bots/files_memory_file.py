# expect: FORBIDDEN
# category: files; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hidden = os.memfd_create("hidden")
        os.write(hidden, b"#!")
        return Action("BUY", 1.0, "ESCAPED: has a file that can be written and run")
