# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
import gc

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        gc.disable()
        while True:
            cycle = [bytearray(10_000)]
            cycle.append(cycle)
