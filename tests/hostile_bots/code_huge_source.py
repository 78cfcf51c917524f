# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: code
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        exec("x = [1, 2, 3]\n" * 2_000_000)
        return Action("BUY", 1.0, "ESCAPED: compiled two million lines")
