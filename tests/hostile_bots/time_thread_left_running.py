# expect: OK|TIMED_OUT
# category: time
import threading
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        threading.Thread(target=time.sleep, args=(10_000,)).start()
        return Action("HOLD", 1.0, "nothing gained")
