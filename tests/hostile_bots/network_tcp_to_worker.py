# expect: FORBIDDEN
# category: network; harmless outside
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        connection = socket.create_connection(("127.0.0.1", self.config["port"]), timeout=2)
        connection.sendall(b"out")
        return Action("BUY", 1.0, "ESCAPED: connected")
