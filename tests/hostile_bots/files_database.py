# expect: FAILED|FORBIDDEN
# category: files
import sqlite3

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        refusals = []
        for folder in ("/tmp", "/dev/shm", "/var/tmp", ""):
            try:
                sqlite3.connect(f"{folder}/left_behind.db").execute("CREATE TABLE t (a)")
                return Action("BUY", 1.0, f"ESCAPED: a database in {folder}")
            except sqlite3.OperationalError as error:
                refusals.append(error)
        raise refusals[0]
