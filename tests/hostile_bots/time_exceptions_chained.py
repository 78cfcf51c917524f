# expect: FAILED|TIMED_OUT|OUT_OF_MEMORY|CRASHED
# category: time
from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        error = ValueError("the last")
        for _ in range(500_000):
            following = ValueError("the next")
            following.__cause__ = error
            error = following
        raise error
