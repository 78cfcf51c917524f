# expect: OK|TIMED_OUT
# category: output
import sys

from bot_sdk import Action, CustomBot


class Hanging:
    def flush(self):
        while True:
            pass

    write = close = flush


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        sys.stdout = sys.stderr = Hanging()
        return Action("HOLD", 1.0, "nothing gained")
