# expect: OK|FORBIDDEN|FAILED
# category: leak; run twice; harmless outside
import resource

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == 41:
            return Action("BUY", 1.0, "ESCAPED: the limits of an earlier run")
        resource.setrlimit(resource.RLIMIT_NOFILE, (41, hard))
        return Action("HOLD", 1.0, "nothing gained")
