# expect: OK|FORBIDDEN
# category: leak; run twice
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        folders = [
            ".",
            "/",
            "/tmp",
            "/var/tmp",
            "/dev/shm",
            os.path.dirname(os.__file__),
            os.environ.get("NUMBA_CACHE_DIR", "/"),
        ]
        if any(os.path.exists(f"{folder}/left_behind_by_a_bot") for folder in folders):
            return Action("BUY", 1.0, "ESCAPED: a file of an earlier run")
        for folder in folders:
            try:
                with open(f"{folder}/left_behind_by_a_bot", "w") as file:
                    file.write("x")
            except OSError:
                continue
        return Action("HOLD", 1.0, "nothing gained")
