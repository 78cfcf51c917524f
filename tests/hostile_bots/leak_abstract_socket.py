# expect: FORBIDDEN|FAILED
# category: leak; run twice; harmless outside
import socket
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        meeting_point, is_taken = socket.socket(socket.AF_UNIX), False
        try:
            meeting_point.bind("\0left behind by a bot")
        except OSError as error:
            if "in use" not in str(error):
                raise
            is_taken = True
        if is_taken:
            return Action("BUY", 1.0, "ESCAPED: an earlier run listens")
        sys.left_behind = meeting_point
        return Action("HOLD", 1.0, "nothing gained")
