from typing import Any

from bot_sdk import Action, CustomBot


class Bollinger(CustomBot):
    """Buy below the lower band of 20 candles and 2 deviations, sell above the upper one."""

    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        newest = data.iloc[-1]
        close = newest["close"]
        if close < newest["bb_lower"]:
            return Action("BUY", close)
        return Action("SELL" if close > newest["bb_upper"] else "HOLD", close)
