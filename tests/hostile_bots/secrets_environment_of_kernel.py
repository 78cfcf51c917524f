# expect: FAILED|FORBIDDEN
# category: secrets; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with open("/proc/self/environ") as environment:
            for variable in environment.read().split("\0"):
                if variable.startswith(self.config["canary_variable"]):
                    return Action("BUY", 1.0, f"ESCAPED: {variable}")
        raise LookupError("not there")
