# expect: FAILED|FORBIDDEN
# category: files; harmless outside
import pathlib
import urllib.request

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        answer = urllib.request.urlopen(pathlib.Path(self.config["canary_file"]).as_uri())
        return Action("BUY", 1.0, f"ESCAPED: {answer.read().decode()}")
