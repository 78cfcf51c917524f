# expect: OK|FORBIDDEN
# category: code; harmless outside
import operator

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        two = "_" * 2
        reach = operator.attrgetter(f"{two}init{two}.{two}globals{two}")
        builtins = reach(CustomBot)[f"{two}builtins{two}"]
        builtins = builtins if isinstance(builtins, dict) else vars(builtins)
        if builtins[f"{two}import{two}"]("os").system("true") == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
