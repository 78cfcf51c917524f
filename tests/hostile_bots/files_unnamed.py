# expect: FAILED|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for folder in ("/tmp", "/dev/shm", "/var/tmp", "/"):
            try:
                os.write(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o700), b"hidden")
                return Action("BUY", 1.0, f"ESCAPED: a file without a name in {folder}")
            except OSError as error:
                refusal = error
        raise refusal
