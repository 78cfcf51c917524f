# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
import re

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        tails = re.findall("(?=(.*))", "x" * 100_000)
        return Action("BUY", 1.0, f"ESCAPED: {len(tails)} long texts")
