# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED|FORBIDDEN
# category: memory
import mmap

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        private, anonymous = 0x02, 0x20
        hoard = mmap.mmap(-1, 1 << 20, flags=private | anonymous)
        while len(hoard) < 1 << 32:
            hoard.resize(len(hoard) * 2)
            hoard[:: mmap.PAGESIZE] = b"x" * (len(hoard) // mmap.PAGESIZE)
        return Action("BUY", 1.0, "ESCAPED: 4 GB")
