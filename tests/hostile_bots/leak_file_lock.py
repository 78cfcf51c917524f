# expect: OK|FORBIDDEN|FAILED
# category: leak; run twice
import fcntl
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        library = os.open(os.__file__, os.O_RDONLY)
        try:
            fcntl.flock(library, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Action("BUY", 1.0, "ESCAPED: a lock of an earlier run")
        return Action("HOLD", 1.0, "nothing gained")
