# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        number = 1 << (1 << 34)
        return Action("BUY", 1.0, f"ESCAPED: {number.bit_length()} bits")
