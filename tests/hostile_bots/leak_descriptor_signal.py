# expect: OK|FORBIDDEN
# category: leak; run twice
import fcntl

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        seen = []
        for descriptor in range(64):
            try:
                seen.append(fcntl.fcntl(descriptor, fcntl.F_GETSIG))
            except OSError:
                continue
        if 43 in seen:
            return Action("BUY", 1.0, "ESCAPED: an input that an earlier run had too")
        for descriptor in range(64):
            try:
                fcntl.fcntl(descriptor, fcntl.F_SETSIG, 43)
            except OSError:
                continue
        return Action("HOLD", 1.0, "nothing gained")
