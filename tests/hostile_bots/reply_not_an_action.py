# expect: BAD_REPLY|FAILED|CRASHED|FORBIDDEN
# category: reply
import builtins

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        builtins.isinstance = lambda *_: True
        return {"action": "BUY", "value": 1e99, "reason": "ESCAPED"}
