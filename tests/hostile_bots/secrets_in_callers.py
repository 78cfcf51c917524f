# expect: OK|FORBIDDEN
# category: secrets
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        frame = sys._getframe()
        while frame := frame.f_back:
            for names in (frame.f_locals, frame.f_globals):
                if any(
                    word in name.lower()
                    for name in names
                    for word in ("secret_key", "api_key", "password", "token_")
                ):
                    return Action("BUY", 1.0, f"ESCAPED: {frame.f_code.co_name} holds a secret")
        return Action("HOLD", 1.0, "nothing gained")
