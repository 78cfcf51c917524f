# expect: OK|FAILED|FORBIDDEN
# category: secrets; harmless outside
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        template = "{0.__init__.__globals__[environ][" + self.config["canary_variable"] + "]}"
        try:
            return Action("BUY", 1.0, "ESCAPED: " + template.format(os._wrap_close))
        except KeyError:
            return Action("HOLD", 1.0, "nothing gained")
