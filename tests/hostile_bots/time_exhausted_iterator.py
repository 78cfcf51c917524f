# expect: TIMED_OUT
# category: time
import collections
import itertools

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        collections.deque(itertools.repeat(0), maxlen=0)
        return Action("BUY", 1.0, "ESCAPED")
