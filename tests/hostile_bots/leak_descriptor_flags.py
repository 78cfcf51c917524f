# expect: OK|FORBIDDEN
# category: leak; run twice
import fcntl
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        seen = []
        for descriptor in range(64):
            try:
                seen.append(fcntl.fcntl(descriptor, fcntl.F_GETFL))
            except OSError:
                continue
        if any(flags & os.O_APPEND for flags in seen):
            return Action("BUY", 1.0, "ESCAPED: an input that an earlier run had too")
        for descriptor in range(64):
            try:
                fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
            except OSError:
                continue
        return Action("HOLD", 1.0, "nothing gained")
