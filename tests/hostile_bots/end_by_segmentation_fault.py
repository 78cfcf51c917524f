# expect: CRASHED
# category: end
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        ctypes.string_at(0)
