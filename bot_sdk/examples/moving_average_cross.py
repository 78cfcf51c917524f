"""Buy when the fast average crosses above the slow one, sell when it crosses below."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bot_sdk import Action, CustomBot, Parameter


class MovingAverageCross(CustomBot):
    parameters = [
        Parameter("fast_length", "integer", 5, label="Fast average, in candles", minimum=2, maximum=50),
        Parameter("slow_length", "integer", 20, label="Slow average, in candles", minimum=5, maximum=150),
    ]

    def execute_algorithm(
        self, data: pd.DataFrame, timeframe: str, subscription_config: Mapping[str, Any] | None = None
    ) -> Action:
        price = data["close"].iloc[-1]
        fast = data["close"].rolling(self.config["fast_length"]).mean()
        slow = data["close"].rolling(self.config["slow_length"]).mean()
        now, before = (fast - slow).iloc[-1], (fast - slow).shift(1).iloc[-1]
        if before <= 0 < now:
            return Action("BUY", price, f"Fast average {fast.iloc[-1]:.2f} rose above {slow.iloc[-1]:.2f}")
        if before >= 0 > now:
            return Action("SELL", price, f"Fast average {fast.iloc[-1]:.2f} fell below {slow.iloc[-1]:.2f}")
        return Action("HOLD", price, f"The averages are {now:+.2f} apart, no cross")
