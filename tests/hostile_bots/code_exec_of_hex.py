# expect: OK|FORBIDDEN
# category: code; harmless outside
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        found = {}
        exec(
            bytes.fromhex("696d706f7274206f733b20737461747573203d206f732e73797374656d2822747275652229"), found
        )
        if found["status"] == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
