# expect: FORBIDDEN|FAILED
# category: network
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        return Action("BUY", 1.0, "ESCAPED: sends packets of its own making")
