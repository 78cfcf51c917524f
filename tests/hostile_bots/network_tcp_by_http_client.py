# expect: FORBIDDEN|FAILED
# category: network; harmless outside
import http.client

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        connection = http.client.HTTPConnection("127.0.0.1", self.config["port"], timeout=2)
        connection.request("POST", "/", body=b"out")
        return Action("BUY", 1.0, "ESCAPED: sent a request")
