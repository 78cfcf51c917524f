"""Buy near the lower Bollinger band and sell near the upper one, while the market has no strong trend."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bot_sdk import Action, CustomBot, Parameter


class BollingerReversion(CustomBot):
    parameters = [
        Parameter(
            "buy_below_percent", "number", 30.0, label="Buy below, in percent of the bands", maximum=50
        ),
        Parameter(
            "sell_above_percent", "number", 70.0, label="Sell above, in percent of the bands", minimum=50
        ),
        Parameter(
            "highest_adx", "number", 60.0, label="Buy only while the ADX is below", minimum=0, maximum=100
        ),
    ]
    warm_up = 60
    risk_defaults = {
        "stop_loss_percent": 3,
        "take_profit_percent": 6,
        "max_position_size": 20,
        "max_daily_loss_percent": 5,
        "cool_down_minutes": 60,
    }

    def execute_algorithm(
        self, data: pd.DataFrame, timeframe: str, subscription_config: Mapping[str, Any] | None = None
    ) -> Action:
        newest = data.iloc[-1]
        price, place, adx = newest["close"], newest["bb_percent"], newest["adx"]
        if place > self.config["sell_above_percent"]:
            return Action("SELL", price, f"At {place:.0f} % of the Bollinger bands")
        if place < self.config["buy_below_percent"] and adx < self.config["highest_adx"]:
            return Action("BUY", price, f"At {place:.0f} % of the Bollinger bands, ADX {adx:.0f}")
        return Action("HOLD", price, f"At {place:.0f} % of the Bollinger bands, ADX {adx:.0f}")
