# expect: FAILED|FORBIDDEN
# category: files
import os
import stat

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        refusals = []
        for folder in ("/tmp", "/dev/shm", "/dev", "/"):
            try:
                os.mknod(f"{folder}/left_behind", stat.S_IFBLK | 0o600, os.makedev(8, 0))
                return Action("BUY", 1.0, f"ESCAPED: the disk as a device in {folder}")
            except OSError as error:
                refusals.append(error)
        raise refusals[0]
