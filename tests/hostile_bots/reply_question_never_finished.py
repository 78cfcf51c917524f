# expect: TIMED_OUT|BAD_REPLY
# category: reply
import os
import stat

from bot_sdk import CustomBot


def ask(question):
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, question)
                return os.read(descriptor, 65_536)
        except OSError:
            continue
    return b""


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        ask(b'{"ask": "balance", "with": ["USDT"')
        while True:
            pass
