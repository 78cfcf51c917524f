# expect: FAILED|FORBIDDEN
# category: files
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with open("/proc/1/environ", "rb") as environment:
            return Action("BUY", 1.0, f"ESCAPED: {environment.read(100)}")
