# expect: FORBIDDEN
# category: network
import pandas as pd

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        pd.read_csv(f"http://127.0.0.1:{self.config['port']}/candles.csv")
        return Action("BUY", 1.0, "ESCAPED: fetched")
