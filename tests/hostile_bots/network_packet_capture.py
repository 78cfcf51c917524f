# expect: FORBIDDEN|FAILED
# category: network
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        return Action("BUY", 1.0, "ESCAPED: reads everyone's packets")
