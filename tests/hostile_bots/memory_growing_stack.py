# expect: FORBIDDEN
# category: memory
import mmap

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        private, anonymous, grows_down = 0x02, 0x20, 0x100
        hoard = mmap.mmap(-1, 1 << 30, flags=private | anonymous | grows_down)
        for page in range(0, len(hoard), mmap.PAGESIZE):
            hoard[page] = 1
        return Action("BUY", 1.0, "ESCAPED: memory that counts as stack")
