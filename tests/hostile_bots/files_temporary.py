# expect: FAILED|FORBIDDEN
# category: files
import tempfile

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with tempfile.TemporaryFile() as file:
            file.truncate(1 << 40)
        return Action("BUY", 1.0, "ESCAPED: a terabyte without a block")
