# expect: OK|FORBIDDEN|FAILED
# category: leak; run twice
import fcntl
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        library = os.open(os.__file__, os.O_RDONLY)
        get_hint, set_hint, none, extreme = 1035, 1036, 0, 5
        hint = int.from_bytes(fcntl.fcntl(library, get_hint, bytes(8)), "little")
        fcntl.fcntl(library, set_hint, (none if hint == extreme else extreme).to_bytes(8, "little"))
        if hint == extreme:
            return Action("BUY", 1.0, "ESCAPED: a mark on a library")
        return Action("HOLD", 1.0, "nothing gained")
