# expect: FAILED|FORBIDDEN
# category: files; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        descriptor = os.open(self.config["canary_file"], os.O_RDONLY | os.O_CLOEXEC)
        return Action("BUY", 1.0, f"ESCAPED: {os.pread(descriptor, 100, 0).decode()}")
