# expect: OK|FORBIDDEN|FAILED
# category: leak; run twice; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        earlier = os.umask(0o123)
        if earlier == 0o123:
            return Action("BUY", 1.0, "ESCAPED: the mask of an earlier run")

        return Action("HOLD", 1.0, "nothing gained")
