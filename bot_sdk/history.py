"""The candles that a bot is tried on, as the platform shows them to it live.

What a bot sees at a candle follows from the candles alone, not from when anybody began to watch: its window
is that of the newest rows, and their indicators begin at the candle's `anchor`. So a backtest over years and
a live cycle, which knows a few thousand candles, see the same bits.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bot_sdk.account import CANDLE_COLUMNS
from bot_sdk.bot import CandleRow
from bot_sdk.gaps import gap_in, gapped_rows
from bot_sdk.timeframes import duration

WINDOW_CANDLES = 500  # what a bot sees, with indicators
HISTORY_CANDLES = 1000  # what it may ask for besides, without them; enough for indicators to have settled
BLOCK_CANDLES = 5000  # between two anchors; an EMA 200 weighs what lies so far back below its last bit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Bar(NamedTuple):
    """One candle in exact numbers: aware UTC times, prices in quote per base."""

    opened_at: datetime
    closed_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


def anchor(timeframe: str, opened_at: datetime) -> datetime:
    """Return the opening time of the first candle that has a part in the frame of the one at `opened_at`.

    It lies 5,000 to 10,000 candles back and moves on by 5,000 at once, on a grid from 1970 on; where less is
    stored, a frame begins with the first candle there is.
    """
    block = BLOCK_CANDLES * duration(timeframe)
    return opened_at.astimezone(UTC) - (opened_at - _EPOCH) % block - block


def with_indicators(candles: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Return the candles with every indicator, each row as a live frame that begins at its anchor has it.

    `candles` and what is raised are as in `add_indicators`, whose columns it returns; `obv` counts from
    anywhere, since it begins anew in each bot's window.
    """
    from bot_sdk.indicators import add_indicators  # noqa: PLC0415  TA-Lib is for who computes indicators

    if candles.empty:
        return add_indicators(candles)
    stamps = cast(pd.DatetimeIndex, candles.index).as_unit("us").asi8
    block = BLOCK_CANDLES * duration(timeframe) // _MICROSECOND
    parts = []
    for number in range(int(stamps[0]) // block, int(stamps[-1]) // block + 1):
        begin, first, end = np.searchsorted(stamps, [(number + shift) * block for shift in (-1, 0, 1)])
        if first < end:
            parts.append(add_indicators(candles.iloc[begin:end]).iloc[first - begin :])
    return pd.concat(parts) if len(parts) > 1 else parts[0]


class History:
    """Candles with indicators, oldest first, and the rows on which a bot is asked.

    `rows` is float64 with a line per candle and a column for each of `columns`, `prices` has open, high, low
    and close alone; `stamps` are the opening times in microseconds since 1970; `lows` and `highs` the
    furthest that prices are known to have gone in each candle. The bot is asked from the row `first` on.
    """

    def __init__(
        self, frame: pd.DataFrame, timeframe: str, *, first: int = 0, detail: pd.DataFrame | None = None
    ) -> None:
        """Take a frame as `add_indicators` returns it; its numbers are copied.

        `detail` has the candles of a smaller timeframe, which tell in which order prices came inside a
        candle; where it has none, and with fewer than two of them, the candle's own four prices do. Raises
        ValueError for a `first` row that is not in the frame.
        """
        if not 0 <= first < len(frame):
            raise ValueError(
                f"The bot is asked from row {first + 1} on, and the history has {len(frame)}: use a longer "
                "history or a shorter warm-up of at least the first candle."
            )
        self.columns = list(frame.columns)
        self.timeframe = timeframe
        self.first = first
        self.rows = np.ascontiguousarray(frame.to_numpy(dtype=np.float64))
        self.index = cast(pd.DatetimeIndex, frame.index)
        self.stamps: NDArray[np.int64] = self.index.as_unit("us").asi8
        self.gapped = gapped_rows(self.index, timeframe, WINDOW_CANDLES)
        self.prices = frame[list(CANDLE_COLUMNS[:4])].to_numpy(dtype=np.float64)
        self._candle_places = [self.columns.index(name) for name in CANDLE_COLUMNS]
        self._duration = duration(timeframe)
        self._detail = None if detail is None or len(detail) < 2 else _Detail(detail)
        lows, highs = self.prices.min(axis=1), self.prices.max(axis=1)
        if self._detail is not None:
            self._detail.widen(lows, highs, self.stamps)
        self.lows: list[float] = lows.tolist()
        self.highs: list[float] = highs.tolist()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def candles(self) -> pd.DataFrame:
        """The candles without indicators, as a copy."""
        return pd.DataFrame(self.rows[:, self._candle_places], self.index, CANDLE_COLUMNS)

    @property
    def is_detailed(self) -> bool:
        return self._detail is not None

    @property
    def closes(self) -> NDArray[np.float64]:
        """The closing prices, in quote per base."""
        return self.prices[:, 3]

    def opened_at(self, row: int) -> datetime:
        return _EPOCH + int(self.stamps[row]) * _MICROSECOND

    def closed_at(self, row: int) -> datetime:
        return self.opened_at(row) + self._duration

    def bar(self, row: int) -> Bar:
        """Return the row's candle."""
        return _bar(self.opened_at(row), self._duration, self.prices[row].tolist())

    def close(self, row: int) -> Decimal:
        """Return the row's closing price."""
        return Decimal(repr(float(self.prices[row, 3])))

    def bars_within(self, row: int) -> list[Bar]:
        """Return the smaller candles inside the row's candle.

        None where some are missing, so that they do not reach its low and high: then the candle itself says
        more.
        """
        if self._detail is None:
            return []
        begin = int(self.stamps[row])
        found = self._detail.within(begin, begin + self._duration // _MICROSECOND)
        own = self.bar(row)
        reach_both = found and min(bar.low for bar in found) <= own.low <= own.high <= max(
            bar.high for bar in found
        )
        return found if reach_both else []

    def gap(self, row: int) -> str:
        """Return why the window that ends with the row is not to be decided on, or ""."""
        window = self.index[max(row - WINDOW_CANDLES + 1, 0) : row + 1]
        return gap_in(window, self.timeframe) if self.gapped[row] else ""

    def newest_candles(self, row: int) -> Callable[[int], list[CandleRow]]:
        """Return what gives the newest candles up to the row, at most 1,000, as bots are answered."""

        def newest(count: int) -> list[CandleRow]:
            kept = slice(max(row + 1 - min(count, HISTORY_CANDLES), 0), row + 1)
            opened = (self.stamps[kept] // 1000).tolist()
            values = self.rows[kept][:, self._candle_places].tolist()
            return [(stamp, *candle) for stamp, candle in zip(opened, values, strict=True)]

        return newest


class _Detail:
    """Candles of a smaller timeframe, to be found by when they opened."""

    def __init__(self, candles: pd.DataFrame) -> None:
        self._stamps = cast(pd.DatetimeIndex, candles.index).as_unit("us").asi8
        self.prices = candles[list(CANDLE_COLUMNS[:4])].to_numpy(dtype=np.float64)
        self._duration = int(np.diff(self._stamps).min()) * _MICROSECOND

    def within(self, begin: int, end: int) -> list[Bar]:
        first, last = np.searchsorted(self._stamps, [begin, end])
        return [
            _bar(_EPOCH + stamp * _MICROSECOND, self._duration, prices)
            for stamp, prices in zip(
                self._stamps[first:last].tolist(), self.prices[first:last].tolist(), strict=True
            )
        ]

    def widen(self, lows: NDArray[np.float64], highs: NDArray[np.float64], stamps: NDArray[np.int64]) -> None:
        """Put the furthest prices of each candle, by its opening time, into `lows` and `highs`."""
        rows = np.searchsorted(stamps, self._stamps, side="right") - 1
        known = (
            rows >= 0
        )  # one that lies in a hole widens the candle before it, which costs a look and no more
        np.minimum.at(lows, rows[known], self.prices[known].min(axis=1))
        np.maximum.at(highs, rows[known], self.prices[known].max(axis=1))


def _bar(opened_at: datetime, lasts: timedelta, prices: list[float]) -> Bar:
    # Through its shortest text a float becomes the price that the exchange quoted.
    exact = [Decimal(repr(price)) for price in prices]
    return Bar(opened_at, opened_at + lasts, *exact)
