# expect: FAILED|OUT_OF_MEMORY|TIMED_OUT|CRASHED|FORBIDDEN
# category: processes
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        threading.stack_size(32 << 10)
        stop = threading.Event()
        for _ in range(50_000):
            threading.Thread(target=stop.wait, daemon=True).start()
        return Action("BUY", 1.0, "ESCAPED: 50000 threads")
