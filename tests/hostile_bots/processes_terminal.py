# expect: FORBIDDEN|FAILED
# category: processes
import pty

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        pty.spawn(["/bin/sh", "-c", "exit 7"])
        return Action("BUY", 1.0, "ESCAPED: a shell with a terminal")
