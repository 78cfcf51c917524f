# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED|OK
# category: memory
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        sys.setrecursionlimit(10**8)
        nest = []
        for _ in range(1_000_000):
            nest = [nest]
        return Action("HOLD", float(len(repr(nest))), "nothing gained")
