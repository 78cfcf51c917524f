# expect: FAILED|FORBIDDEN
# category: memory
import os
import select

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        hoard = []
        while len(hoard) < 100_000:
            hoard.append(select.epoll())
            hoard.append(os.eventfd(0))
        return Action("BUY", 1.0, "ESCAPED: 100000 objects in the kernel")
