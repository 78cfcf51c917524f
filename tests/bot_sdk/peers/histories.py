"""Candles on which engines are compared: real ones where they lie beside the project, else made ones."""

from pathlib import Path

import numpy as np
import pandas as pd

REAL = Path(__file__).resolve().parents[4] / "shared" / "market-data"
MARKETS = ("binance_BTC_USDT_1h", "binance_ETH_USDT_1h", "binance_SOL_USDT_15m")

_COLUMNS = ["open", "high", "low", "close", "volume"]


def real_candles(count: int) -> pd.DataFrame | None:
    """Return so many candles of spot markets, None where there are not so many.

    Markets follow each other, each scaled to go on where the last one ended, and all are stamped as hours in
    a row: how an engine treats holes is not compared.
    """
    parts: list[pd.DataFrame] = []
    for market in MARKETS:
        path = REAL / f"{market}.parquet"
        if not path.is_file():
            return None
        part = pd.read_parquet(path)[_COLUMNS]
        if parts:
            prices = part[_COLUMNS[:4]] * (parts[-1]["close"].iloc[-1] / part["open"].iloc[0])
            part = part.assign(**prices.round(8))
        parts.append(part)
        if sum(map(len, parts)) >= count:
            return _hours(pd.concat(parts).iloc[:count])
    return None


def made_candles(count: int) -> pd.DataFrame:
    """Return so many candles of a random walk, the same ones every time."""
    random = np.random.default_rng(7)
    close = np.round(30_000 * np.exp(np.cumsum(random.normal(0, 0.005, count))), 2)
    before = np.append(close[:1], np.round(close[:-1] * (1 + random.normal(0, 0.0005, count - 1)), 2))
    up, down = random.uniform(0, 0.003, (2, count))
    prices = {
        "open": before,
        "high": np.round(np.maximum(before, close) * (1 + up), 2),
        "low": np.round(np.minimum(before, close) * (1 - down), 2),
        "close": close,
    }
    return _hours(pd.DataFrame(prices | {"volume": random.uniform(1, 9, count)}))


def _hours(candles: pd.DataFrame) -> pd.DataFrame:
    opened_at = pd.date_range("2014-01-01", periods=len(candles), freq="h", tz="UTC", name="opened_at")
    return candles.set_index(opened_at)
