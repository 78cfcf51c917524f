# expect: FORBIDDEN
# category: files
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        refusals = []
        for folder in ("/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/usr/lib", "/runtime", os.path.dirname(os.__file__)):
            try:
                with open(os.path.join(folder, "left_behind"), "wb") as note:
                    note.write(b"for the next run")
                return Action("BUY", 1.0, f"ESCAPED: wrote into {folder}")
            except OSError as error:
                refusals.append(error)
        raise refusals[0]
