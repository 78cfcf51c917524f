# expect: FAILED|FORBIDDEN
# category: files; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with open("/proc/self/maps") as places:
            return Action("BUY", 1.0, f"ESCAPED: {places.readline()}")
