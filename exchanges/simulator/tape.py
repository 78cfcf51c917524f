"""A file of candles as a market's prices: inside each candle they go from the open to the close through both
ends of its range, the end that lies against the candle's direction first."""

from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exchanges.simulator.market import DAY_MS, MINUTE_MS, Whole
from exchanges.simulator.paths import MINUTES_PER_DAY, TRADES_PER_DAY, TRADES_PER_MINUTE


class CandleTape:
    """Prices of one market from candles: prices of its ticks, volumes of its steps."""

    def __init__(self, candles: pd.DataFrame, tick: Decimal, step: Decimal, shift_days: int = 0) -> None:
        """Read candles as `bot_sdk.candle_file.read_candles` returns them, moved by whole days.

        The timeframe is the smallest distance between two of them. Raises ValueError when it does not divide
        a day, or when candles do not open on its grid.
        """
        self._opened = _milliseconds(candles) + shift_days * DAY_MS
        span = int(np.diff(self._opened).min()) if len(candles) > 1 else MINUTE_MS
        if span % MINUTE_MS or DAY_MS % span or (self._opened % span).any():
            raise ValueError(
                f"Expected candles on a grid that divides a day, such as 1m or 1h; found {span / 1000:g} s"
                " between two, or openings beside the grid."
            )
        self._minutes = span // MINUTE_MS
        prices = candles[["open", "high", "low", "close"]].to_numpy()
        self._prices: Whole = np.maximum(1, np.rint(prices / float(tick))).astype(np.int64)
        self._volumes: Whole = np.rint(candles["volume"].to_numpy() / float(step)).astype(np.int64)

    def prices(self, day: int) -> Whole:
        """Return the day's prices in ticks, one per trade; where there is no candle the last one stays."""
        prices = np.zeros(TRADES_PER_DAY, dtype=np.int64)
        before = int(np.searchsorted(self._opened, day * DAY_MS))
        last = int(self._prices[before - 1, 3] if before else self._prices[0, 0])
        filled = 0
        for index in self._of_day(day):
            start = self._minute_of_day(index) * TRADES_PER_MINUTE
            prices[filled:start] = last
            filled = start + self._minutes * TRADES_PER_MINUTE
            prices[start:filled] = _path(self._prices[index], self._minutes * TRADES_PER_MINUTE)
            last = int(self._prices[index, 3])
        prices[filled:] = last
        return prices

    def volumes(self, day: int) -> Whole:
        """Return the amount traded in each minute of the day, in steps."""
        volumes = np.zeros(MINUTES_PER_DAY, dtype=np.int64)
        for index in self._of_day(day):
            start = self._minute_of_day(index)
            share, rest = divmod(int(self._volumes[index]), self._minutes)
            volumes[start : start + self._minutes] = share
            volumes[start + self._minutes - 1] += rest
        return volumes

    def _of_day(self, day: int) -> range:
        first, stop = np.searchsorted(self._opened, [day * DAY_MS, (day + 1) * DAY_MS])
        return range(int(first), int(stop))

    def _minute_of_day(self, index: int) -> int:
        return int(self._opened[index]) % DAY_MS // MINUTE_MS


def _milliseconds(candles: pd.DataFrame) -> Whole:
    index = pd.DatetimeIndex(candles.index)
    milliseconds: Whole = index.as_unit("ms").asi8
    return milliseconds


def _path(candle: NDArray[np.int64], trades: int) -> Whole:
    first, high, low, last = candle.tolist()
    turns = [low, high] if last >= first else [high, low]
    positions = [0, trades // 3, trades * 2 // 3, trades - 1]
    path: Whole = np.rint(np.interp(np.arange(trades), positions, [first, *turns, last])).astype(np.int64)
    return path
