"""Candles, rules and configurations that the SDK's tests begin from."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.market_rules import MarketRules


def make_rules(**overrides: str) -> MarketRules:
    values = {
        "price_tick": "0.01",
        "amount_step": "0.001",
        "minimum_amount": "0.001",
        "minimum_cost": "10",
        "taker_fee_fraction": "0.001",
    }
    return MarketRules(**{name: Decimal(value) for name, value in (values | overrides).items()})


def make_execution(**overrides: Any) -> ExecutionConfig:
    values = {"buy_order_type": "PERCENTAGE", "buy_order_value": 10.0, "sell_order_type": "ALL"}
    return ExecutionConfig.parse(values | overrides)


def make_risk(**limits: float) -> RiskConfig:
    return RiskConfig.parse(limits)


def candles_of(closes: Sequence[float], volume: float = 5.0) -> pd.DataFrame:
    """Return hourly candles whose four prices are the close."""
    index = pd.date_range("2026-01-01", periods=len(closes), freq="h", tz="UTC", name="opened_at")
    close = np.array(closes, dtype="float64")
    return pd.DataFrame(
        {"open": close, "high": close, "low": close, "close": close, "volume": np.full(len(closes), volume)},
        index=index,
    )


def wavy_candles(count: int) -> pd.DataFrame:
    """Return hourly candles that rise, fall and jump, the same ones every time."""
    row = np.arange(count)
    close = 100 + 10 * np.sin(row / 5) + row % 7 + row / 50
    candles = candles_of(close.tolist())
    return candles.assign(
        open=candles["close"].shift(1).fillna(100.0),
        high=np.maximum(close, np.append([100.0], close[:-1])[:count]) + 1 + row % 3,
        low=np.minimum(close, np.append([100.0], close[:-1])[:count]) - 1 - row % 2,
        volume=10.0 + row % 11,
    )
