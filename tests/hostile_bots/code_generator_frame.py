# expect: OK|FORBIDDEN
# category: code; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        def climb():
            yield climbing.gi_frame.f_back.f_builtins

        climbing = climb()
        builtins = next(climbing)
        if builtins["__import__"]("os").system("true") == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
