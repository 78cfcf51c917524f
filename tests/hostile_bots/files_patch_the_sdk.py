# expect: FORBIDDEN
# category: files
import bot_sdk.action

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        with open(bot_sdk.action.__file__, "a") as source:
            source.write("# changed for all")
        return Action("BUY", 1.0, "ESCAPED: changed the SDK")
