# expect: TIMED_OUT|FORBIDDEN|FAILED|OK
# category: time
import signal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        signal.raise_signal(signal.SIGSTOP)
        return Action("HOLD", 1.0, "the first of a namespace does not stop")
