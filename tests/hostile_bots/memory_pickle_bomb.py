# expect: OUT_OF_MEMORY|TIMED_OUT|FAILED|CRASHED
# category: memory
import pickle

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        size = 8 << 30
        pickle.loads(b"\x80\x04\x8e" + size.to_bytes(8, "little"))
        return Action("BUY", 1.0, "ESCAPED: 8 GB")
