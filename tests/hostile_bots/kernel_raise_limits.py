# expect: FAILED|FORBIDDEN
# category: kernel
import resource

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return Action("BUY", 1.0, "ESCAPED: no memory limit")
