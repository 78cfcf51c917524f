# expect: OK
# category: leak; run twice; harmless outside
import codecs

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        try:
            found = "left" + codecs.lookup("left_behind").name
        except LookupError:
            found = ""
        if "left" in found:
            return Action("BUY", 1.0, "ESCAPED: an earlier run decodes")
        codecs.register(lambda name: codecs.lookup("ascii") if name == "left_behind" else None)
        return Action("HOLD", 1.0, "nothing gained")
