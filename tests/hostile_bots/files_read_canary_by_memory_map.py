# expect: FAILED|FORBIDDEN
# category: files; harmless outside
import numpy as np

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        secret = np.memmap(self.config["canary_file"], dtype=np.uint8, mode="r")
        return Action("BUY", 1.0, f"ESCAPED: {bytes(secret).decode()}")
