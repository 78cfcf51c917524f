# expect: FORBIDDEN|FAILED
# category: kernel
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        socket.sethostname(socket.gethostname())
        return Action("BUY", 1.0, "ESCAPED: renames the machine")
