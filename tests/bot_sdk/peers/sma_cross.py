from typing import Any

from bot_sdk import Action, CustomBot


class SMACross(CustomBot):
    """Hold while the mean of the newest 10 closes is above that of 30."""

    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        closes = data["close"].values[-30:]
        fast, slow = closes[-10:].sum() / 10, closes.sum() / 30
        return Action("BUY" if fast > slow else "SELL" if fast < slow else "HOLD", closes[-1])
