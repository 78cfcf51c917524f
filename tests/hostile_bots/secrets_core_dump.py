# expect: CRASHED|FAILED|FORBIDDEN
# category: secrets
import os
import resource

from bot_sdk import CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.abort()
