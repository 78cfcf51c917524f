# expect: FAILED|BAD_REPLY
# category: action
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    async def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("BUY", 1.0, "ESCAPED")
