# expect: FORBIDDEN|FAILED
# category: network; harmless outside
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        server = socket.create_server(("127.0.0.1", 0))
        return Action("BUY", 1.0, f"ESCAPED: others can call at {server.getsockname()}")
