# expect: OK|FORBIDDEN
# category: leak; run twice; harmless outside
import signal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if getattr(signal.getsignal(signal.SIGUSR1), "__name__", "") == "left_behind":
            return Action("BUY", 1.0, "ESCAPED: a handler of an earlier run")

        def left_behind(number, frame):
            pass

        signal.signal(signal.SIGUSR1, left_behind)
        return Action("HOLD", 1.0, "nothing gained")
