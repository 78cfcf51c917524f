# expect: CRASHED|FORBIDDEN
# category: end
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.abort()
