# expect: TIMED_OUT
# category: time
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
        return Action("BUY", 1.0, "ESCAPED")
