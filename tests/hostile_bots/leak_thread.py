# expect: OK
# category: leak; run twice; harmless outside
import threading

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if any(thread.name == "left behind" for thread in threading.enumerate()):
            return Action("BUY", 1.0, "ESCAPED: a thread of an earlier run")
        threading.Thread(target=threading.Event().wait, name="left behind", daemon=True).start()
        return Action("HOLD", 1.0, "nothing gained")
