# expect: BAD_REPLY|FAILED|OK|TIMED_OUT
# category: reply
import os
import stat

from bot_sdk import Action, CustomBot


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
        said = ask(b'{"ask": "balance", "ask": "api_keys", "with": ["USDT"]}\n')
        if b'"answer"' in said:
            return Action("BUY", 1.0, f"ESCAPED: {said[:100]}")
        return Action("HOLD", 1.0, "nothing gained")
