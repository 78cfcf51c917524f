# expect: FORBIDDEN|FAILED
# category: kernel
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWIPC)
        return Action("BUY", 1.0, "ESCAPED: root of a namespace of its own")
