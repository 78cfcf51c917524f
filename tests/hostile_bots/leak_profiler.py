# expect: OK
# category: leak; run twice; harmless outside
import sys
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if sys.getprofile() is not None:
            return Action("BUY", 1.0, "ESCAPED: an earlier run watches")
        threading.setprofile(print)
        sys.setprofile(lambda *_: None)
        return Action("HOLD", 1.0, "nothing gained")
