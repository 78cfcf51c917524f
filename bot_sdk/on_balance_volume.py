"""The one column that counts from a frame's first row on, whatever lies before that row.

It is added up one by one and not subtracted from a longer count: equal candles give equal bits wherever the
history begins.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def on_balance_volume(close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return obv in base, 0 at the first of the candles."""
    moves = np.zeros(len(close))
    moves[1:] = volume_moved(close[1:], close[:-1], volume[1:])
    return counted(moves)


def volume_moved[Number: (float, FloatArray)](close: Number, before: Number, volume: Number) -> Number:
    """Return a candle's volume with the sign of what its close adds to the close before it."""
    moved: Number = np.sign(close - before) * volume
    return moved


def counted(moves: FloatArray) -> FloatArray:
    """Return obv from what `volume_moved` gave; the first row's is against a candle that is not there."""
    obv = moves.copy()
    obv[:1] = 0.0
    return np.cumsum(obv, out=obv)
