# expect: TIMED_OUT
# category: time
from bot_sdk import Action, CustomBot


class Endless(Exception):
    def __str__(self):
        while True:
            pass


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        raise Endless
