# expect: FORBIDDEN|FAILED
# category: network; harmless outside
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        exfiltration = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        exfiltration.connect(("127.0.0.1", self.config["port"]))
        return Action("BUY", 1.0, f"ESCAPED: sent {exfiltration.send(b'out')} bytes")
