# expect: FORBIDDEN
# category: processes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        while True:
            os.fork()
