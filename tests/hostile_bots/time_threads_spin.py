# expect: TIMED_OUT
# category: time
import threading

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        def spin():
            while True:
                pass

        for _ in range(8):
            threading.Thread(target=spin, daemon=True).start()
        spin()
