# expect: FAILED|BAD_REPLY
# category: output
from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        raise type("\x1b[2J\u202eError", (Exception,), {})("\x1b]0;owned\x07\x00\ud800")
