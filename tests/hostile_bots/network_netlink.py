# expect: FORBIDDEN|FAILED
# category: network; harmless outside
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        routes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        routes.bind((0, 0))
        return Action("BUY", 1.0, "ESCAPED: speaks with the kernel about routes")
