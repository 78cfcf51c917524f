# expect: OK|FORBIDDEN
# category: leak; run twice; harmless outside
import signal

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, []):
            return Action("BUY", 1.0, "ESCAPED: the signals that an earlier run blocked")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        return Action("HOLD", 1.0, "nothing gained")
