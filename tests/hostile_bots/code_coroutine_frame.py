# expect: OK|FORBIDDEN
# category: code; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        async def nothing():
            pass

        waiting = nothing()
        builtins = waiting.cr_frame.f_builtins
        waiting.close()
        if builtins["__import__"]("os").system("true") == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
