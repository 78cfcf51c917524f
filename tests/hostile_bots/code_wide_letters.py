# expect: OK|FORBIDDEN
# category: code; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        found = {}
        ｅｘｅｃ("import os; status = os.system('true')", found)
        if found["status"] == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
