# expect: OK|FORBIDDEN
# category: secrets
import sys

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        held = {"django", "celery", "kombu", "ccxt", "psycopg", "boto3", "redis", "marketplace"} & set(
            sys.modules
        )
        if held:
            return Action("BUY", 1.0, f"ESCAPED: started from the worker, with {sorted(held)}")
        return Action("HOLD", 1.0, "nothing gained")
