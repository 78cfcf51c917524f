# expect: FAILED|FORBIDDEN
# category: files; harmless outside
import pandas as pd

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        secret = pd.read_csv(self.config["canary_file"], header=None)
        return Action("BUY", 1.0, f"ESCAPED: {secret.iloc[0, 0]}")
