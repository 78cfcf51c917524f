# expect: FORBIDDEN
# category: processes; harmless outside
import subprocess

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        said = subprocess.run(["/bin/sh", "-c", "id"], capture_output=True, check=True)
        return Action("BUY", 1.0, f"ESCAPED: {said.stdout.decode()}")
