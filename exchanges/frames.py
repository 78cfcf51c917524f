"""One frame of indicators per market and timeframe, kept by each worker process from candle to candle.

What a bot sees at a candle follows from the stored candles alone, not from when a process began to watch: a
frame begins at its candle's `anchor`, and a row that was appended has the bits of one that was read with all
the others. So two workers see the same, and so does a backtest that begins at the same anchor.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock
from typing import NamedTuple

import pandas as pd

from bot_sdk.history import HISTORY_CANDLES, WINDOW_CANDLES, anchor, with_indicators
from bot_sdk.indicator_frame import IndicatorFrame
from bot_sdk.timeframes import duration
from exchanges import candle_store, candles
from exchanges.models import Candle, Market

FRAMES = 64  # kept per process, about 0.8 MB each


class Seen(NamedTuple):
    """The newest candles: `window` with all indicators, as `add_indicators` has them; `history` without.

    `since` is the opening of the first candle that the indicators were computed from.
    """

    window: pd.DataFrame
    history: pd.DataFrame
    since: datetime


@dataclass
class _Kept:
    anchor: datetime
    frame: IndicatorFrame
    since: datetime  # opening time of the first candle that it was computed from
    newest: datetime  # opening time of the last candle that it took
    count: int  # of the candles that it took

    @property
    def seen(self) -> Seen:
        return Seen(self.frame.window(WINDOW_CANDLES), self.frame.candles(HISTORY_CANDLES), self.since)


class Frames:
    """The frames that one process keeps: the `limit` of them that were asked for last."""

    def __init__(self, limit: int = FRAMES) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()
        self._turn = Lock()

    def of(self, market: Market, timeframe: str, opened_at: datetime) -> Seen:
        """Return what is stored up to and including the candle opened at `opened_at`, never a later one.

        The newest 500 rows with indicators and the newest 1,000 candles; fewer, or none, when fewer are
        stored. A candle after the last one asked for costs one row; anything else, such as an earlier candle
        or one that was stored within a frame's past, costs a new frame.
        """
        key = (market.pk, timeframe)
        with self._turn:
            kept = self._kept.pop(key, None)
            if kept is None or not _is_extended(kept, market, timeframe, opened_at):
                kept = _built(timeframe, opened_at, partial(stored, market, timeframe, opened_at))
            self._kept[key] = kept
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
            return kept.seen


frame_of = Frames().of


def rebuilt(market: Market, timeframe: str, opened_at: datetime, since: datetime) -> Seen:
    """Return what `frame_of` returned for a candle of the past, whose frame began with the one at `since`.

    Candles that were moved into the history meanwhile are read from there; those that are nowhere are left
    out. Raises CandleStoreError.
    """
    rows = stored(market, timeframe, opened_at, since)
    oldest = rows.index[0].to_pydatetime() if len(rows) else opened_at + duration(timeframe)
    if oldest > since:
        moved = candle_store.read(market, timeframe, since, oldest - duration(timeframe))
        rows = pd.concat([moved, rows]) if len(moved) else rows
    return _built(timeframe, opened_at, lambda first: rows.loc[first:]).seen


def stored(market: Market, timeframe: str, last: datetime, first: datetime) -> pd.DataFrame:
    """Return the candles in the database that opened from `first` to `last`, as `candles.window` does."""
    count = max((last - first) // duration(timeframe) + 1, 0)
    return candles.window(market, timeframe, last, count).loc[first:]


def _is_extended(kept: _Kept, market: Market, timeframe: str, opened_at: datetime) -> bool:
    """Append the candles that are stored since; False when the frame is not the one for `opened_at`."""
    if kept.newest > opened_at or kept.anchor != anchor(timeframe, opened_at):
        return False
    # Candles are added and never changed: as many of them are the same ones.
    taken = Candle.objects.of(market, timeframe).filter(opened_at__range=(kept.anchor, kept.newest))
    if taken.count() != kept.count:
        return False
    new = stored(market, timeframe, opened_at, kept.newest + duration(timeframe))
    for at, values in zip(pd.DatetimeIndex(new.index).to_pydatetime(), new.to_numpy().tolist(), strict=True):
        kept.frame.append(at, *values)
        kept.newest = at
        kept.count += 1
    return True


def _built(timeframe: str, opened_at: datetime, read: Callable[[datetime], pd.DataFrame]) -> _Kept:
    """Compute a frame; `read` returns the candles from an opening on, up to the one at `opened_at`."""
    first = anchor(timeframe, opened_at)
    rows = read(first)
    frame = IndicatorFrame(rows, keep=HISTORY_CANDLES)
    if not len(rows):
        return _Kept(first, frame, since=first, newest=first, count=0)
    since = rows.index[0].to_pydatetime()
    oldest_anchor = anchor(timeframe, rows.index[-WINDOW_CANDLES:][0].to_pydatetime())
    if oldest_anchor < first:  # the window reaches back to candles whose indicators begin there
        earlier = read(oldest_anchor)
        frame.replace(with_indicators(earlier, timeframe))
        since = earlier.index[0].to_pydatetime()
    return _Kept(first, frame, since, rows.index[-1].to_pydatetime(), len(rows))
