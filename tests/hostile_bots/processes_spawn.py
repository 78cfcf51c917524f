# expect: FORBIDDEN|FAILED
# category: processes; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        child = os.posix_spawn("/bin/true", ["true"], {})
        return Action("BUY", 1.0, f"ESCAPED: ended with {os.waitpid(child, 0)[1]}")
