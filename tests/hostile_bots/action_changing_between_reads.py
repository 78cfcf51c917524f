# expect: FAILED|BAD_REPLY|OK
# category: action
from bot_sdk import Action, CustomBot


class Changing(Action):
    reads = []

    def __getattribute__(self, name):
        Changing.reads.append(name)
        return "WITHDRAW" if name == "action" and len(Changing.reads) > 5 else super().__getattribute__(name)


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        return Changing("HOLD", 1.0, "nothing gained")
