# expect: TIMED_OUT|OUT_OF_MEMORY
# category: memory
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hoard = []
        while True:
            try:
                hoard.append(bytearray(1 << 20))
            except MemoryError:
                pass
