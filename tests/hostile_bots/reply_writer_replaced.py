# expect: BAD_REPLY|OK|FAILED|CRASHED|TIMED_OUT
# category: reply
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        write = os.write
        os.write = lambda descriptor, _: write(descriptor, b'{"verdict": "UNAVAILABLE", "message": "x"}\n')
        return Action("HOLD", 1.0, "nothing gained")
