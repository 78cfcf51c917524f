# expect: FAILED|FORBIDDEN
# category: files
import mmap
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with open(os.__file__, "rb") as library:
            pages = mmap.mmap(
                library.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE
            )
        pages[0] = ord("#")
        return Action("BUY", 1.0, "ESCAPED: wrote a library through memory")
