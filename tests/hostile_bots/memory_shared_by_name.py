# expect: FORBIDDEN|FAILED
# category: memory
from multiprocessing import shared_memory

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hoard = shared_memory.SharedMemory(create=True, size=1 << 28)
        hoard.buf[:] = bytes(1 << 28)
        hoard.unlink()
        return Action("BUY", 1.0, "ESCAPED: memory that counts as nobody's")
