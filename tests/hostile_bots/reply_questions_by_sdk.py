# expect: FAILED|BAD_REPLY|OK|TIMED_OUT
# category: reply
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for _ in range(10_000):
            self.get_balance("USDT")
            self.get_current_price()
        return Action("HOLD", 1.0, "nothing gained")
