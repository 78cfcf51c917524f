# expect: FAILED|OUT_OF_MEMORY|TIMED_OUT
# category: processes
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        threads = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(10_000)]
        for thread in threads:
            thread.start()
        return Action("BUY", 1.0, "ESCAPED: 10000 threads")
