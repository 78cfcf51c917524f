# expect: FORBIDDEN
# category: network; harmless outside
import socket

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        meeting_point = socket.socket(socket.AF_UNIX)
        meeting_point.bind("\0another run listens here")
        return Action("BUY", 1.0, "ESCAPED: reachable for other runs")
