"""How far the price went against a trade and for it while the trade was open."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bot_sdk.trades import Trade

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def with_excursions(
    trades: Sequence[Trade],
    opened_at: Sequence[datetime],
    lows: Sequence[float],
    highs: Sequence[float],
) -> list[Trade]:
    """Return the trades with their worst and best price, from candles by opening time, oldest first.

    A candle counts that opens while the trade is open, the one it closes in with its whole range. Where a
    trade has no candle only its own exit price counts.
    """
    opens = _microseconds(opened_at)
    low, high = np.asarray(lows, dtype=np.float64), np.asarray(highs, dtype=np.float64)
    firsts = np.searchsorted(opens, _microseconds([trade.opened_at for trade in trades]))
    ends = np.searchsorted(opens, _microseconds([trade.closed_at for trade in trades]))
    seen = []
    for trade, first, end in zip(trades, firsts.tolist(), ends.tolist(), strict=True):
        entry, last = float(trade.entry_price), float(trade.exit_price)
        lowest = low[first:end].min(initial=min(entry, last))
        highest = high[first:end].max(initial=max(entry, last))
        seen.append(
            replace(
                trade,
                mae_fraction=float(lowest / entry - 1),
                mfe_fraction=float(highest / entry - 1),
            )
        )
    return seen


def _microseconds(times: Sequence[datetime]) -> NDArray[np.int64]:
    return np.array([(at - _EPOCH) // _MICROSECOND for at in times], dtype=np.int64)
