# expect: FAILED|CRASHED|TIMED_OUT
# category: memory
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        sys.setrecursionlimit(10**9)

        def deeper(depth):
            return deeper(depth + 1)

        return Action("BUY", deeper(0), "ESCAPED")
