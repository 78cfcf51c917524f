# expect: OK|FORBIDDEN
# category: code; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        closer = next(
            found for found in ().__class__.__base__.__subclasses__() if found.__name__ == "_wrap_close"
        )
        if closer.__init__.__globals__["system"]("true") == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
