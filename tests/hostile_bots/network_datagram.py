# expect: FORBIDDEN
# category: network; harmless outside
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exfiltration:
            sent = exfiltration.sendto(b"out", ("127.0.0.1", self.config["port"]))
        return Action("BUY", 1.0, f"ESCAPED: sent {sent} bytes")
