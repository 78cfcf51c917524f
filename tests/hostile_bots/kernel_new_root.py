# expect: FORBIDDEN|FAILED
# category: kernel
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.chroot("/")
        return Action("BUY", 1.0, "ESCAPED: picks its root")
