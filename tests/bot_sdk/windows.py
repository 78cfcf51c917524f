"""Windows that are grown from candles, with all indicators."""

from functools import cache

import pandas as pd

from bot_sdk.indicators import COLUMNS, add_indicators
from bot_sdk.window import GrowingWindow
from tests.bot_sdk.samples import wavy_candles

ROWS = 700
LENGTH = 300


@cache
def indicators() -> pd.DataFrame:
    return add_indicators(wavy_candles(ROWS))


def grown(rows: int = ROWS, *, length: int = LENGTH, lazy: bool = True) -> GrowingWindow:
    """Return a window of the first `rows` rows."""
    window = GrowingWindow(COLUMNS, length=length, lazy=lazy)
    extend(window, 0, rows)
    return window


def extend(window: GrowingWindow, first: int, last: int) -> None:
    """Append the rows from `first` to before `last`."""
    frame = indicators().iloc[first:last]
    stamps = pd.DatetimeIndex(frame.index).as_unit("us").asi8.tolist()
    for stamp, row in zip(stamps, frame.to_numpy(), strict=True):
        window.append(stamp, row)
