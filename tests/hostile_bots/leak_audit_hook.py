# expect: OK
# category: leak; run twice; harmless outside
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        heard = []
        sys.audit("left_behind", heard)
        if heard:
            return Action("BUY", 1.0, "ESCAPED: an earlier run listens")

        def listen(event, arguments):
            if event == "left_behind":
                arguments[0].append(event)

        sys.addaudithook(listen)
        return Action("HOLD", 1.0, "nothing gained")
