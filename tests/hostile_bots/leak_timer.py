# expect: OK|FORBIDDEN|FAILED
# category: leak; run twice; harmless outside
import signal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if signal.getitimer(signal.ITIMER_REAL)[0] > 0:
            return Action("BUY", 1.0, "ESCAPED: an alarm of an earlier run")
        signal.setitimer(signal.ITIMER_REAL, 10_000)
        return Action("HOLD", 1.0, "nothing gained")
