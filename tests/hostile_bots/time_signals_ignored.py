# expect: TIMED_OUT
# category: time
import signal
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            try:
                signal.signal(number, signal.SIG_IGN)
            except OSError:
                sys.stdout.write(f"{number} cannot be ignored\n")
        while True:
            pass
