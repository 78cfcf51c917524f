# expect: OK|FORBIDDEN
# category: code; harmless outside
import os
import pickle

from bot_sdk import Action, CustomBot


class Payload:
    def __reduce__(self):
        return os.system, ("true",)


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if pickle.loads(pickle.dumps(Payload())) == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
