# expect: BAD_REPLY|OK|FAILED|CRASHED
# category: reply
import json

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        forged = '{"action": "BUY", "value": 1e400, "reason": "ESCAPED"}'
        json.dumps = json.encoder.JSONEncoder.encode = lambda *_, **__: forged
        return Action("HOLD", 1.0, "nothing gained")
