# expect: OK
# category: output
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        print("\x1b]0;owned\x07\x1b[2J\u202egnitirw")
        return Action("HOLD", 1.0, "nothing\x1b[2J gained\x00\u202e")
