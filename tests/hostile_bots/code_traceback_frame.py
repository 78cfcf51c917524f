# expect: OK|FORBIDDEN
# category: code; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        try:
            raise KeyError
        except KeyError as error:
            builtins = error.__traceback__.tb_frame.f_back.f_builtins
        if builtins["__import__"]("os").system("true") == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
