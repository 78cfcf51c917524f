# expect: FORBIDDEN
# category: memory
import mmap

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hoard = mmap.mmap(-1, 1 << 32)
        hoard.write(bytes(1 << 20))
        return Action("BUY", 1.0, "ESCAPED: memory that counts as nobody's")
