"""The indicators of one market and timeframe, carried on candle by candle.

`add_indicators` computes whole columns; an `IndicatorFrame` computes them once and then adds a row per closed
candle, from TA-Lib's streams, in a time that does not depend on the history behind it. Both give the same
bits, which a test holds; so a live cycle, which appends, and a backtest, which reads a history at once, see
the same numbers at the same candle, provided that their frames begin at the same one.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from struct import Struct
from typing import Any, cast

import numpy as np
import pandas as pd
from talib import InsufficientHistory, stream

from bot_sdk.indicators import (
    CANDLE_COLUMNS,
    COLUMNS,
    TALIB_CALLS,
    WINDOW_LENGTH,
    Call,
    average_price,
    candle_arrays,
    change,
    compute,
    place_in_bands,
    turnover,
    volatility,
)
from bot_sdk.on_balance_volume import FloatArray, on_balance_volume

# A row as it is computed; a window has the order of `COLUMNS`, and counts the last of these itself.
_ROW = (
    *CANDLE_COLUMNS,
    *(name for call in TALIB_CALLS for name in call.gives),
    *("bb_width", "bb_percent", "vwap_20", "return_percent", "log_return", "volatility_20"),
    "obv",
)
_ORDER = [_ROW.index(name) for name in COLUMNS]
_LOWER, _MIDDLE, _UPPER = (_ROW.index(name) for name in ("bb_lower", "bb_middle", "bb_upper"))
_CLOSE, _VOLUME, _OBV = (list(COLUMNS).index(name) for name in ("close", "volume", "obv"))

_write_row = Struct(f"{len(_ROW)}d").pack_into  # in half the time that numpy takes for a list
_ROW_BYTES = len(_ROW) * 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# From a call's inputs in the next candle to what it gives there: a float, or one for each column.
_Update = Callable[..., Any]


def _is_single(call: Call) -> bool:
    return len(call.gives) == 1


_GROUPS = [
    (key, list(calls)) for key, calls in groupby(TALIB_CALLS, key=lambda call: (call.reads, _is_single(call)))
]


class IndicatorFrame:
    """A frame that grows by one row per closed candle, each row depending on itself and the rows before it.

    `candles` are as `add_indicators` wants them (ValueError otherwise); there may be none. With `keep` only
    so many of the newest rows are sure to be there, and memory stays the same however long the frame grows;
    without it all are.
    """

    def __init__(self, candles: pd.DataFrame, *, keep: int | None = None) -> None:
        arrays = candle_arrays(candles)
        columns = compute(arrays)
        kept = slice(None if keep is None else -keep, None)
        self._keep = keep
        self._block = np.stack([columns[name][kept] for name in _ROW], axis=1)  # rows, then columns
        self._stamps = cast(pd.DatetimeIndex, candles.index).as_unit("us").asi8[kept]  # since 1970
        self._length = len(self._block)
        self._updates = [
            (reads, is_single, _carried_on(calls, arrays[reads])) for (reads, is_single), calls in _GROUPS
        ]
        self._close = float(columns["close"][-1]) if self._length else math.nan
        self._turnovers = _newest(turnover(*arrays[1:]))
        self._volumes = _newest(columns["volume"])
        self._log_returns = _newest(columns["log_return"])

    def append(  # noqa: PLR0917  the order of a candle's numbers is the same everywhere
        self, opened_at: datetime, open: float, high: float, low: float, close: float, volume: float
    ) -> None:
        """Add the row of one closed candle, opened after the newest one; prices in quote, volume in base.

        Raises ValueError, and changes nothing, for an opening time that is not after the newest row's or has
        no time zone, and for anything but finite numbers.
        """
        stamp, candle = _checked(opened_at, (open, high, low, close, volume))
        if self._length and stamp <= self._stamps[self._length - 1]:
            newest = _EPOCH + int(self._stamps[self._length - 1]) * _MICROSECOND
            raise ValueError(
                f"Expected a candle opened after {newest:%Y-%m-%d %H:%M:%S} UTC, the frame's newest, not "
                f"{opened_at:%Y-%m-%d %H:%M:%S}."
            )
        if self._length == len(self._block):
            self._make_room()
        self._stamps[self._length] = stamp
        _write_row(self._block, self._length * _ROW_BYTES, *self._row(candle))
        self._length += 1

    def replace(self, rows: pd.DataFrame) -> None:
        """Take rows that `add_indicators` computed from an earlier candle on, for those of the same openings.

        Rows that are not in the frame, or no longer, are left out.
        """
        stamps = cast(pd.DatetimeIndex, rows.index).as_unit("us").asi8
        places = np.searchsorted(self._stamps[: self._length], stamps)
        known = (places < self._length) & (self._stamps[np.minimum(places, self._length - 1)] == stamps)
        self._block[places[known]] = rows[list(_ROW)].to_numpy()[known]

    def window(self, count: int) -> pd.DataFrame:
        """Return the newest `count` rows, or all when there are fewer, as `add_indicators` returns them.

        A copy that may be written to. Its obv is 0 in its own first row.
        """
        first = max(self._length - count, 0)
        values = self._block[first : self._length].T[_ORDER]  # each column in one piece
        values[_OBV] = on_balance_volume(values[_CLOSE], values[_VOLUME])
        return pd.DataFrame(values.T, index=self._index(first), columns=COLUMNS, copy=False)

    def candles(self, count: int) -> pd.DataFrame:
        """Return the candles alone of the newest `count` rows, or of all, as a copy."""
        first = max(self._length - count, 0)
        values = self._block[first : self._length, : len(CANDLE_COLUMNS)].T.copy()
        return pd.DataFrame(
            values.T, index=self._index(first), columns=COLUMNS[: len(CANDLE_COLUMNS)], copy=False
        )

    def _row(self, candle: tuple[float, ...]) -> list[float]:
        _, high, low, close, volume = candle
        row = [*candle]
        for reads, is_single, updates in self._updates:
            inputs = candle[reads]
            if is_single:
                row += [update(*inputs) for update in updates]
            else:
                for update in updates:
                    row += update(*inputs)
        row += place_in_bands(close, row[_LOWER], row[_MIDDLE], row[_UPPER])
        self._turnovers.append(turnover(high, low, close, volume))
        self._volumes.append(volume)
        row.append(average_price(self._turnovers, self._volumes))
        changes = change(close, self._close)
        self._close = close
        self._log_returns.append(changes[1])
        return [*row, *changes, volatility(self._log_returns), math.nan]

    def _make_room(self) -> None:
        """Double the block, or what is kept of it."""
        length = self._length if self._keep is None else min(self._keep, self._length)
        block = np.empty((2 * length + 1, len(_ROW)))
        stamps = np.empty(len(block), dtype=np.int64)
        block[:length] = self._block[self._length - length :]
        stamps[:length] = self._stamps[self._length - length :]
        self._block, self._stamps, self._length = block, stamps, length

    def _index(self, first: int) -> pd.DatetimeIndex:
        stamps = self._stamps[first : self._length].astype("datetime64[us]")
        return pd.DatetimeIndex(stamps, name="opened_at").tz_localize("UTC")


class _Waiting:
    """Stands at its place among `updates` for a stream that needs more history, until there is enough."""

    def __init__(self, call: Call, inputs: Sequence[FloatArray], updates: list[_Update], place: int) -> None:
        self._call, self._updates, self._place = call, updates, place
        self._history = [values.tolist() for values in inputs]

    def update(self, *inputs: float) -> Any:
        for values, value in zip(self._history, inputs, strict=True):
            values.append(value)
        opened = _opened(self._call, [np.array(values) for values in self._history])
        if opened is None:
            return math.nan if _is_single(self._call) else (math.nan,) * len(self._call.gives)
        self._updates[self._place] = opened.update
        return opened.value


def _carried_on(calls: Sequence[Call], inputs: Sequence[FloatArray]) -> list[_Update]:
    """Return for each call what takes the next candle's inputs and returns its columns there."""
    updates: list[_Update] = []
    for place, call in enumerate(calls):
        opened = _opened(call, inputs) or _Waiting(call, inputs, updates, place)
        updates.append(opened.update)
    return updates


def _opened(call: Call, inputs: Sequence[FloatArray]) -> Any:
    """Return TA-Lib's stream after the inputs, or None when there are too few."""
    try:
        return getattr(stream, call.function)(*inputs, *call.parameters) if len(inputs[0]) else None
    except InsufficientHistory:
        return None


def _newest(values: FloatArray) -> deque[float]:
    """Return the values of the newest window, NaN before the first one there is."""
    window = deque([math.nan] * WINDOW_LENGTH, WINDOW_LENGTH)
    window.extend(values[-WINDOW_LENGTH:].tolist())
    return window


def _checked(opened_at: datetime, candle: tuple[float, ...]) -> tuple[int, tuple[float, ...]]:
    try:
        stamp, numbers = (opened_at - _EPOCH) // _MICROSECOND, tuple(map(float, candle))
    except TypeError as error:
        raise ValueError(
            f"Expected an opening time with a time zone and five numbers, not {opened_at!r}, {candle!r}."
        ) from error
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"A candle must not contain NaN or infinity: {numbers}; leave it out instead.")
    return stamp, numbers
