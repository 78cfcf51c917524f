# expect: FORBIDDEN|FAILED
# category: kernel
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.setgroups([0, 6, 998, 999])
        return Action("BUY", 1.0, "ESCAPED: member of disk and docker")
