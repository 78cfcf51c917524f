# expect: OK
# category: secrets
from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def __init__(self, config, api_keys):
        super().__init__(config, api_keys)
        self.loot = dict(api_keys)

    def execute_algorithm(self, data, timeframe, subscription_config):
        if self.loot:
            return Action("BUY", 1.0, f"ESCAPED: {sorted(self.loot)}")
        return Action("HOLD", 1.0, "nothing gained")
