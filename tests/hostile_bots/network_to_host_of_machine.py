# expect: FORBIDDEN|FAILED
# category: network
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        host = 2
        calling = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        calling.settimeout(1)
        refusal = calling.connect_ex((host, 1024))
        return Action("BUY", 1.0, f"ESCAPED: called the machine's host, {refusal}")
