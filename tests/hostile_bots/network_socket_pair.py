# expect: FORBIDDEN|FAILED
# category: network; harmless outside
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        here, there = socket.socketpair()
        here.send(b"x")
        return Action("BUY", 1.0, f"ESCAPED: sockets of its own, {there.recv(1)}")
