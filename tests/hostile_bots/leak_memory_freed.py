# expect: OK|OUT_OF_MEMORY|TIMED_OUT
# category: leak; run twice
import numpy as np

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        mark = b"left behind by an earlier run..."
        if mark in np.empty(32 << 20, dtype=np.uint8).tobytes():
            return Action("BUY", 1.0, "ESCAPED: memory of an earlier run")
        hoard = np.frombuffer(mark * (1 << 20), dtype=np.uint8).copy()
        del hoard
        return Action("HOLD", 1.0, "nothing gained")
