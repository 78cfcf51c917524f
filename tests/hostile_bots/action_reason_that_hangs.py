# expect: TIMED_OUT|FAILED|BAD_REPLY|OK
# category: action
from bot_sdk import Action, CustomBot


class Slow(str):
    def __getitem__(self, place):
        while True:
            pass

    __str__ = __iter__ = encode = __len__ = __getitem__


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Action("HOLD", 1.0, Slow("nothing gained"))
