"""What a bot sees at each candle of a backtest: the newest rows of a frame that grows by one row at a time.

The rows after the newest one are not in its memory. What a bot is given shares none of this memory: it may
keep it, write to it, and dig in it, and neither what it kept nor what it is given next changes by that. (Bot
and window share a process: a bot that looks the window's own memory up changes what it sees itself, and
nothing else. Where a candle must be out of its reach, another process holds it back.)
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bot_sdk.on_balance_volume import FloatArray, counted, volume_moved

if TYPE_CHECKING:
    from bot_sdk.lazy_frame import Layout

TRIED_PANDAS = "3.1.1"  # whose insides `bot_sdk.lazy_frame` knows

_WINDOWS_IN_BLOCK = 8  # so one row in eight is copied, when the next block begins


class GrowingWindow:
    """The newest `length` rows of a frame of floats with the given columns, fewer while there are fewer.

    Its frames are as live ones: indexed by `opened_at` in UTC, and with an obv, which takes a close and a
    volume, that is 0 in their own first row. With `lazy` they are quick to read (`bot_sdk.lazy_frame`);
    without, or with a pandas that this was not tried with (a warning says so), plain from the start.
    """

    def __init__(self, columns: Iterable[str], *, length: int, lazy: bool = True) -> None:
        names = list(columns)
        self._columns = pd.Index(names)
        self._counts = [names.index(name) for name in ("close", "volume", "obv")] if "obv" in names else None
        self._layout = _layout(names) if lazy else None
        self._length = length
        self._close = math.nan
        self._values, self._stamps = self._empty_block()
        self._count = 0  # of the rows in the block

    def append(self, stamp: int, row: Sequence[float] | FloatArray) -> None:
        """Add a row: its opening time in microseconds since 1970, its numbers in the order of the columns.

        What the row says of obv is not looked at. Raises ValueError for an opening time that is not after the
        newest row's, and for more or fewer numbers than columns; both change nothing.
        """
        if len(row) != len(self._values):
            raise ValueError(f"Expected {len(self._values)} numbers, one for each column, not {len(row)}.")
        if self._count and stamp <= self._stamps[self._count - 1]:
            newest = self._stamps[self._count - 1]
            raise ValueError(f"Expected a row opened after {newest}, in us since 1970, not at {stamp}.")
        if self._count == len(self._stamps):
            self._begin_block()
        self._values[:, self._count] = row
        if self._counts:
            close, volume, obv = self._counts
            self._values[obv, self._count] = volume_moved(row[close], self._close, row[volume])
            self._close = row[close]
        self._stamps[self._count] = stamp
        self._count += 1

    def frame(self) -> pd.DataFrame:
        """Return the newest rows as a frame of its own, oldest first; without rows an empty one."""
        first = max(self._count - self._length, 0)
        if self._layout:
            return self._layout.frame(self._values, self._stamps, first, self._count)
        values = self._values[:, first : self._count].copy()
        if self._counts:
            *_, obv = self._counts
            values[obv] = counted(values[obv])
        stamps = self._stamps[first : self._count].astype("datetime64[us]")
        index = pd.DatetimeIndex(stamps, name="opened_at").tz_localize("UTC")
        return pd.DataFrame(values.T, index=index, columns=self._columns.view(), copy=False)

    def _begin_block(self) -> None:
        """Go on in new memory with what is still seen of the old, which frames that a bot kept read on."""
        values, stamps = self._empty_block()
        seen = slice(self._count - self._length + 1, self._count)
        kept = slice(0, self._length - 1)
        values[:, kept], stamps[kept] = self._values[:, seen], self._stamps[seen]
        self._values, self._stamps, self._count = values, stamps, kept.stop

    def _empty_block(self) -> tuple[FloatArray, NDArray[np.int64]]:
        size = _WINDOWS_IN_BLOCK * self._length
        return np.full((len(self._columns), size), math.nan), np.zeros(size, dtype=np.int64)


def _layout(names: Sequence[str]) -> "Layout | None":
    if pd.__version__ != TRIED_PANDAS:
        message = (
            f"Frames will be slow to read, for quick ones need pandas {TRIED_PANDAS}, not {pd.__version__}."
        )
        warnings.warn(message, stacklevel=3)
        return None
    from bot_sdk.lazy_frame import Layout  # noqa: PLC0415  another pandas may lack what it imports

    return Layout(names, range(len(names)), names.index("obv") if "obv" in names else None)
