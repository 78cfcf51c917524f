# expect: BAD_REPLY|FORBIDDEN|FAILED
# category: reply
import os
import stat

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        library = os.open(os.__file__, os.O_RDONLY)
        for descriptor in range(3, 64):
            try:
                is_channel = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
            except OSError:
                continue
            if is_channel:
                os.sendfile(descriptor, library, 0, 1000)
        return Action("HOLD", 1.0, "nothing gained")
