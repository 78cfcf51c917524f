# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return None
