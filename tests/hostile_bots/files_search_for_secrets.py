# expect: OK|FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        wanted = {
            ".env",
            "id_rsa",
            "credentials",
            "authorized_keys",
            "shadow",
            "docker.sock",
            "db.sqlite3",
            ".pgpass",
        }
        for folder, _, names in os.walk("/"):
            if wanted.intersection(names):
                return Action("BUY", 1.0, f"ESCAPED: secrets in {folder}")
        return Action("HOLD", 1.0, "nothing gained")
