# expect: BAD_REPLY|FAILED|OK|TIMED_OUT|CRASHED|FORBIDDEN
# category: reply
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        def pester():
            for _ in range(200):
                self.get_balance("USDT")

        threads = [threading.Thread(target=pester) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Action("HOLD", 1.0, "nothing gained")
