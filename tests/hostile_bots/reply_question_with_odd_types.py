# expect: FAILED|BAD_REPLY|OK
# category: reply
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for asset in (None, 1e400, ["USDT"], {"a": 1}, b"USDT", "\ud800", "x" * 1_000_000, self):
            try:
                self.get_balance(asset)
            except (TypeError, ValueError, LookupError, OSError) as refusal:
                print(type(refusal))
        return Action("HOLD", 1.0, "nothing gained")
