# expect: OK
# category: secrets
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        words = str(self.get_account_info()).lower()
        if any(word in words for word in ("key", "secret", "password", "token", "email")):
            return Action("BUY", 1.0, "ESCAPED: more than the balance")
        return Action("HOLD", 1.0, "nothing gained")
