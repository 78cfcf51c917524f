# expect: TIMED_OUT|OK
# category: time
from bot_sdk import Action, CustomBot


class Ending:
    def __del__(self):
        while True:
            pass


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        self.ending = Ending()
        return Action("HOLD", 1.0, "nothing gained")
