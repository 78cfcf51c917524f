# expect: FORBIDDEN|FAILED
# category: network
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        connection.settimeout(1)
        refusal = connection.connect_ex(("::1", self.config["port"]))
        return Action("BUY", 1.0, f"ESCAPED: asked the other network, {refusal}")
