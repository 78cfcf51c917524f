# expect: FORBIDDEN|OK
# category: network; harmless outside
import socket
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        reached = []

        def connect():
            reached.append(socket.create_connection(("127.0.0.1", self.config["port"]), timeout=2))

        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
        if reached:
            return Action("BUY", 1.0, "ESCAPED: connected beside the confined thread")
        return Action("HOLD", 1.0, "nothing gained")
