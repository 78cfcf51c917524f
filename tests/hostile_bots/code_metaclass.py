# expect: OK|FORBIDDEN
# category: code; harmless outside
import os

from bot_sdk import Action, CustomBot

statuses = []


class Meta(type(CustomBot)):
    def __prepare__(name, bases, **options):
        statuses.append(os.system("true"))
        return {}


class Attack(CustomBot, metaclass=Meta):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if statuses == [0]:
            return Action("BUY", 1.0, "ESCAPED: ran a shell before it ran")
        return Action("HOLD", 1.0, "nothing gained")
