# expect: FAILED
# category: end
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        sys.exit("bye")
