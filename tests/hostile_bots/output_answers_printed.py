# expect: OK
# category: output
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream is not None:
                print('{"action": "BUY", "value": 1.0, "reason": "forged"}', file=stream, flush=True)
        return Action("HOLD", 1.0, "nothing gained")
