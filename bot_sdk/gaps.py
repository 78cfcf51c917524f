"""Where candles are missing, and when too many are missing to decide on.

A few missing candles are the rule where trade is thin: nobody traded in them. Ten in a row, or a tenth of a
window, are an outage or a market without trade, and its indicators mean something else: no bot is asked then.
"""

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bot_sdk.timeframes import duration

LONGEST_HOLE = 10  # consecutive candles that may be missing in a window; more is an outage
MOST_MISSING_FRACTION = 0.1  # of a window, in holes of any length


def holes(index: pd.DatetimeIndex, timeframe: str) -> list[tuple[datetime, int]]:
    """Return where candles are missing in an ascending index of opening times.

    For each hole, oldest first: the opening time of the first missing candle, and how many are missing. What
    lies before the index's first and after its last candle is not counted.
    """
    step = duration(timeframe)
    return [
        (before + step, (after - before) // step - 1)
        for before, after in pairwise(index.to_pydatetime())
        if after - before > step
    ]


def gap_in(index: pd.DatetimeIndex, timeframe: str) -> str:
    """Return in a sentence why an index of opening times has too many holes to decide on, or ""."""
    found = holes(index, timeframe)
    missing = sum(count for _, count in found)
    first, longest = max(found, key=lambda hole: hole[1], default=(None, 0))
    if first is None or (
        longest <= LONGEST_HOLE and missing <= MOST_MISSING_FRACTION * (len(index) + missing)
    ):
        return ""
    return (
        f"Of the last {len(index) + missing:,} candles {missing:,} are missing, {longest:,} of them in a row "
        f"from {first:%Y-%m-%d %H:%M} UTC on. The bot was not asked; stops still act."
    )


def gapped_rows(index: pd.DatetimeIndex, timeframe: str, length: int) -> NDArray[np.bool_]:
    """Return for each row whether `gap_in` finds a gap in the window of `length` rows that ends with it."""
    count = len(index)
    if count == 0:
        return np.zeros(0, dtype=bool)
    step = duration(timeframe) // timedelta(microseconds=1)
    missing = np.zeros(count, dtype=np.int64)  # before each row
    missing[1:] = np.diff(index.as_unit("us").asi8) // step - 1
    total = np.cumsum(missing)
    row = np.arange(count)
    first = np.maximum(row - length + 1, 0)
    in_window = total - total[first]
    gapped: NDArray[np.bool_] = in_window > MOST_MISSING_FRACTION * (row - first + 1 + in_window)
    for hole in np.flatnonzero(missing > LONGEST_HOLE):
        gapped[hole : hole + length - 1] = True
    return gapped
