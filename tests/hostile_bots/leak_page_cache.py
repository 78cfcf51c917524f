# expect: OK|FAILED|FORBIDDEN
# category: leak; run twice
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        descriptor = os.open(os.__file__, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return Action("BUY", 1.0, "ESCAPED: what is in the page cache can be told to a later run")
