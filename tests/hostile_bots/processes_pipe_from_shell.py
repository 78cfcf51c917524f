# expect: FORBIDDEN|FAILED|OK
# category: processes; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        said = os.popen("echo hello").read()
        if said:
            return Action("BUY", 1.0, f"ESCAPED: the shell says {said.strip()}")
        return Action("HOLD", 1.0, "nothing gained")
