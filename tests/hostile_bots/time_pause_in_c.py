# expect: TIMED_OUT|FORBIDDEN|FAILED
# category: time
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        ctypes.CDLL(None).pause()
        return Action("BUY", 1.0, "ESCAPED")
