"""The columns that every bot finds in its frame, and what they mean.

`INDICATORS` is the documentation: `python -m bot_sdk indicators` prints it. Names are stable; a column is
added, never renamed or redefined. Values are those of pandas-ta with TA-Lib beside it, which a test compares;
they are computed by TA-Lib itself, whose streams carry the same columns on candle by candle
(`bot_sdk.indicator_frame`). No value looks ahead: a row depends on itself and the rows before it.

What TA-Lib lacks is written here once, for one candle's floats and for whole columns alike, so that both give
the same bits.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from bot_sdk.on_balance_volume import FloatArray, on_balance_volume

try:
    import talib
except ImportError as missing:
    raise ImportError("bot_sdk.indicators needs TA-Lib, which computes them: pip install ta-lib") from missing

CANDLE_COLUMNS = ("open", "high", "low", "close", "volume")

WARM_UP_CANDLES = 200
"""From this row on every indicator has a value (in a market that moves): as many as the slowest one needs."""

INDICATORS: dict[str, str] = {
    "sma_20": "Simple moving average of the close over 20 candles, in quote.",
    "sma_50": "Simple moving average of the close over 50 candles, in quote.",
    "sma_200": "Simple moving average of the close over 200 candles, in quote.",
    "ema_9": "Exponential moving average of the close over 9 candles, in quote.",
    "ema_12": "Exponential moving average of the close over 12 candles, in quote.",
    "ema_20": "Exponential moving average of the close over 20 candles, in quote.",
    "ema_26": "Exponential moving average of the close over 26 candles, in quote.",
    "ema_50": "Exponential moving average of the close over 50 candles, in quote.",
    "ema_200": "Exponential moving average of the close over 200 candles, in quote.",
    "macd": "Moving average convergence divergence: 12-candle less 26-candle exponential average, in quote.",
    "macd_signal": "Exponential average of macd over 9 candles, in quote.",
    "macd_histogram": "macd less macd_signal, in quote.",
    "rsi": "Relative strength index over 14 candles, Wilder's, 0 to 100; 0 where the price never moved.",
    "stochastic_k": "Slow stochastic %K: the close in the range of 14 candles, averaged over 3, 0 to 100.",
    "stochastic_d": "Slow stochastic %D: stochastic_k averaged over 3 candles, 0 to 100.",
    "cci": "Commodity channel index over 20 candles, mostly between -100 and 100.",
    "williams_r": "Williams %R over 14 candles, -100 (at the low) to 0 (at the high).",
    "mfi": "Money flow index over 14 candles, 0 to 100: an RSI weighted by volume.",
    "roc": "Rate of change: the close against the close 10 candles ago, in percent.",
    "momentum": "The close less the close 10 candles ago, in quote.",
    "adx": "Average directional index over 14 candles, 0 to 100: how strong a trend is, up or down.",
    "plus_di": "Positive directional indicator over 14 candles, 0 to 100.",
    "minus_di": "Negative directional indicator over 14 candles, 0 to 100.",
    "aroon_up": "Aroon up over 14 candles, 0 to 100: 100 when the newest candle has the highest high.",
    "aroon_down": "Aroon down over 14 candles, 0 to 100: 100 when the newest candle has the lowest low.",
    "bb_lower": "Lower Bollinger band: bb_middle less 2 population deviations, in quote.",
    "bb_middle": "Middle Bollinger band: simple moving average over 20 candles, in quote.",
    "bb_upper": "Upper Bollinger band: bb_middle plus 2 population deviations, in quote.",
    "bb_width": "Distance between the Bollinger bands, in percent of the middle one.",
    "bb_percent": "Where the close stands between the bands: 0 lower, 100 upper; NaN where they coincide.",
    "atr": "Average true range over 14 candles, Wilder's, in quote.",
    "atr_percent": "atr in percent of the close.",
    "volatility_20": "Sample standard deviation of log_return over 20 candles, per candle.",
    "obv": "On-balance volume in base, 0 at the frame's first row: only its changes mean something.",
    "volume_sma_20": "Simple moving average of the volume over 20 candles, in base.",
    "vwap_20": "Typical price weighted by volume over 20 candles, in quote; NaN where nothing was traded.",
    "highest_20": "Highest high of 20 candles, the newest included, in quote.",
    "lowest_20": "Lowest low of 20 candles, the newest included, in quote.",
    "return_percent": "The close against the close before, in percent.",
    "log_return": "Natural logarithm of the close over the close before.",
}

COLUMNS = pd.Index([*CANDLE_COLUMNS, *INDICATORS])
"""The columns of a frame, in its order."""


class Call(NamedTuple):
    """One function of TA-Lib: what it `reads` of a candle, its parameters, and the columns that it `gives`.

    `reads` cuts the inputs out of anything in the order of `CANDLE_COLUMNS`, be it a candle or its columns.
    """

    function: str
    reads: slice
    parameters: tuple[float, ...]
    gives: tuple[str, ...]


_HIGH, _LOW, _CLOSE, _VOLUME = slice(1, 2), slice(2, 3), slice(3, 4), slice(4, 5)
_HIGH_LOW, _HIGH_LOW_CLOSE, _HIGH_LOW_CLOSE_VOLUME = slice(1, 3), slice(1, 4), slice(1, 5)
_SIMPLE = 0  # TA-Lib's number of the simple moving average

# Calls that read the same and give as many columns stand together: a frame feeds them together.
TALIB_CALLS = (
    *(Call("SMA", _CLOSE, (length,), (f"sma_{length}",)) for length in (20, 50, 200)),
    *(Call("EMA", _CLOSE, (length,), (f"ema_{length}",)) for length in (9, 12, 20, 26, 50, 200)),
    Call("RSI", _CLOSE, (14,), ("rsi",)),
    Call("ROC", _CLOSE, (10,), ("roc",)),
    Call("MOM", _CLOSE, (10,), ("momentum",)),
    Call("MACD", _CLOSE, (12, 26, 9), ("macd", "macd_signal", "macd_histogram")),
    Call("BBANDS", _CLOSE, (20, 2.0, 2.0, _SIMPLE), ("bb_upper", "bb_middle", "bb_lower")),
    Call("CCI", _HIGH_LOW_CLOSE, (20,), ("cci",)),
    Call("WILLR", _HIGH_LOW_CLOSE, (14,), ("williams_r",)),
    Call("ADX", _HIGH_LOW_CLOSE, (14,), ("adx",)),
    Call("PLUS_DI", _HIGH_LOW_CLOSE, (14,), ("plus_di",)),
    Call("MINUS_DI", _HIGH_LOW_CLOSE, (14,), ("minus_di",)),
    Call("ATR", _HIGH_LOW_CLOSE, (14,), ("atr",)),
    Call("NATR", _HIGH_LOW_CLOSE, (14,), ("atr_percent",)),
    Call("STOCH", _HIGH_LOW_CLOSE, (14, 3, _SIMPLE, 3, _SIMPLE), ("stochastic_k", "stochastic_d")),
    Call("AROON", _HIGH_LOW, (14,), ("aroon_down", "aroon_up")),
    Call("MFI", _HIGH_LOW_CLOSE_VOLUME, (14,), ("mfi",)),
    Call("SMA", _VOLUME, (20,), ("volume_sma_20",)),
    Call("MAX", _HIGH, (20,), ("highest_20",)),
    Call("MIN", _LOW, (20,), ("lowest_20",)),
)

WINDOW_LENGTH = 20
"""Candles in the windows of `average_price` and `volatility`."""


def add_indicators(candles: pd.DataFrame) -> pd.DataFrame:
    """Return a new frame of the candles with every column of `INDICATORS`, all float64.

    `candles` has the numeric columns open, high, low, close and volume, without NaN, and an ascending UTC
    DatetimeIndex named `opened_at`; other columns are left out. It may be of any length, none included: an
    indicator is NaN until it has enough rows. Raises ValueError for a frame of another shape.
    """
    columns = compute(candle_arrays(candles))
    # One block of all columns at once: inserting them one by one costs many times the computation.
    values = np.stack([columns[name] for name in COLUMNS])
    return pd.DataFrame(values.T, index=candles.index, columns=COLUMNS, copy=False)


def candle_arrays(candles: pd.DataFrame) -> list[FloatArray]:
    """Return the candles' columns in the order of `CANDLE_COLUMNS`; ValueError as `add_indicators` says."""
    missing = [name for name in CANDLE_COLUMNS if name not in candles.columns]
    if missing:
        raise ValueError(
            f"Candles need the columns {', '.join(CANDLE_COLUMNS)}; missing: {', '.join(missing)}."
        )
    index = candles.index
    if not isinstance(index, pd.DatetimeIndex) or str(index.tz) != "UTC" or index.name != "opened_at":
        raise ValueError("Candles need a DatetimeIndex in UTC named opened_at: the candles' opening times.")
    if not index.is_monotonic_increasing or not index.is_unique:
        raise ValueError("Candles must be sorted by opening time, oldest first, each once.")
    arrays = [np.ascontiguousarray(candles[name].to_numpy(dtype="float64")) for name in CANDLE_COLUMNS]
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("Candles must not contain NaN or infinity; leave a missing candle out instead.")
    return arrays


def compute(candles: Sequence[FloatArray]) -> dict[str, FloatArray]:
    """Return all columns of a frame by name, the candles' own included, from what `candle_arrays` returns."""
    columns = dict(zip(CANDLE_COLUMNS, candles, strict=True))
    for call in TALIB_CALLS:
        columns |= zip(call.gives, _computed(call, candles), strict=True)
    _, high, low, close, volume = candles
    before = np.concatenate([[np.nan], close])[:-1]
    return_percent, log_return = change(close, before)
    places = place_in_bands(close, columns["bb_lower"], columns["bb_middle"], columns["bb_upper"])
    turnover_windows = _windows(turnover(high, low, close, volume))
    return columns | {
        "bb_width": places[0],
        "bb_percent": places[1],
        "vwap_20": _padded(average_price(turnover_windows, _windows(volume)), len(close)),
        "return_percent": return_percent,
        "log_return": log_return,
        "volatility_20": _padded(volatility(_windows(log_return)), len(close)),
        "obv": on_balance_volume(close, volume),
    }


def change[Number: (float, FloatArray)](close: Number, before: Number) -> tuple[Number, Number]:
    """Return return_percent and log_return of a close and the close before it, NaN where there is none."""
    ratio = _quotient(close, before)
    return (ratio - 1) * 100, _logarithm(ratio)


def place_in_bands[Number: (float, FloatArray)](
    close: Number, lower: Number, middle: Number, upper: Number
) -> tuple[Number, Number]:
    """Return bb_width and bb_percent of a close and its Bollinger bands."""
    width = upper - lower
    return _quotient(width, middle) * 100, _quotient(close - lower, width) * 100


def turnover[Number: (float, FloatArray)](high: Number, low: Number, close: Number, volume: Number) -> Number:
    """Return a candle's typical price times its volume: about what was paid in it, in quote."""
    return (high + low + close) / 3 * volume


def average_price[Number: (float, FloatArray)](
    turnovers: Iterable[Number], volumes: Iterable[Number]
) -> Number:
    """Return vwap_20 of the turnovers and volumes of 20 candles, oldest first."""
    return _quotient(_total(turnovers), _total(volumes))


def volatility[Number: (float, FloatArray)](log_returns: Sequence[Number]) -> Number:
    """Return volatility_20 of the log returns of 20 candles, oldest first."""
    mean = _total(log_returns) / WINDOW_LENGTH
    squares: Any = 0.0
    for log_return in log_returns:
        distance = log_return - mean
        squares += distance * distance
    return _root(cast(Number, squares / (WINDOW_LENGTH - 1)))


def _computed(call: Call, candles: Sequence[FloatArray]) -> Sequence[FloatArray]:
    inputs = candles[call.reads]
    if len(inputs[0]) == 0:  # TA-Lib refuses to compute nothing
        return [np.empty(0)] * len(call.gives)
    result = getattr(talib, call.function)(*inputs, *call.parameters)
    return result if len(call.gives) > 1 else [result]


def _windows(values: FloatArray) -> list[FloatArray]:
    """Return 20 columns: the oldest value of every full window, then the next, and so on to its newest."""
    if len(values) < WINDOW_LENGTH:
        return [np.empty(0)] * WINDOW_LENGTH
    return list(sliding_window_view(values, WINDOW_LENGTH).T)


def _padded(newest: FloatArray, count: int) -> FloatArray:
    return np.concatenate([np.full(count - len(newest), np.nan), newest])


def _total[Number: (float, FloatArray)](values: Iterable[Number]) -> Number:
    # Unlike a running sum it leaves no rounding behind; unlike sum() it adds floats as it adds columns.
    total: Any = 0.0
    for value in values:
        total += value
    return cast(Number, total)


def _quotient[Number: (float, FloatArray)](dividend: Number, divisor: Number) -> Number:
    """NaN where the divisor, a price or an amount, is not above zero."""
    if isinstance(divisor, float):
        return dividend / divisor if divisor > 0 else math.nan
    quotients: FloatArray = np.divide(dividend, divisor, out=np.full(len(divisor), np.nan), where=divisor > 0)
    return quotients


def _logarithm[Number: (float, FloatArray)](ratio: Number) -> Number:
    # TA-Lib's is the C library's, as Python's is; numpy has one of its own, which differs in the last bit.
    if isinstance(ratio, float):
        return math.log(ratio) if ratio > 0 else math.nan
    known = np.flatnonzero(ratio > 0)
    logarithms = np.full(len(ratio), np.nan)
    if len(known):
        logarithms[known] = talib.LN(ratio[known])
    return logarithms


def _root[Number: (float, FloatArray)](square: Number) -> Number:
    if isinstance(square, float):
        return math.sqrt(square)
    roots: FloatArray = np.sqrt(square)
    return roots
