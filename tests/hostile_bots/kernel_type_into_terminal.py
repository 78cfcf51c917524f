# expect: FORBIDDEN|FAILED
# category: kernel
import fcntl
import termios

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        refusals = []
        for descriptor in range(64):
            try:
                fcntl.ioctl(descriptor, termios.TIOCSTI, b"\n")
                return Action("BUY", 1.0, "ESCAPED: types what the operator did not")
            except OSError as error:
                refusals.append(error)
        raise refusals[0]
