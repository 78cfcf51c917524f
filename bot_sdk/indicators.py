"""The columns that every bot finds in its frame, and what they mean.

`INDICATORS` is the documentation: `python -m bot_sdk indicators` prints it. Names are stable; a column is
added, never renamed or redefined. Values come from pandas-ta with TA-Lib beside it: alone, pandas-ta 0.4.71
computes CCI wrongly, lets RSI and ADX begin during their warm-up and takes another deviation for Bollinger
bands. No value looks ahead: a row depends on itself and the rows before it.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pandas.errors import Pandas4Warning

try:
    import talib
except ImportError as missing:
    raise ImportError(
        "bot_sdk.indicators needs TA-Lib, without which pandas-ta returns wrong values: pip install ta-lib"
    ) from missing
with warnings.catch_warnings():
    # On import pandas-ta 0.4.71 sets an option and reads an attribute that pandas 4 removes.
    warnings.simplefilter("ignore", Pandas4Warning)
    import pandas_ta

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

FloatArray = NDArray[np.float64]


def add_indicators(candles: pd.DataFrame) -> pd.DataFrame:
    """Return a new frame of the candles with every column of `INDICATORS`, all float64.

    `candles` has the numeric columns open, high, low, close and volume, without NaN, and an ascending UTC
    DatetimeIndex named `opened_at`; other columns are left out. It may be of any length, none included: an
    indicator is NaN until it has enough rows. Raises ValueError for a frame of another shape.
    """
    _check(candles)
    prices = candles.loc[:, list(CANDLE_COLUMNS)].astype("float64")
    columns = {
        **{name: prices[name] for name in CANDLE_COLUMNS},
        **_averages(prices),
        **_oscillators(prices),
        **_trend(prices),
        **_bands(prices),
        **_volume(prices),
        **_changes(prices),
    }
    # One frame from all columns at once: inserting them one by one costs many times the computation.
    return pd.DataFrame({name: columns[name] for name in (*CANDLE_COLUMNS, *INDICATORS)}, index=candles.index)


def _check(candles: pd.DataFrame) -> None:
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
    if candles.loc[:, list(CANDLE_COLUMNS)].isna().to_numpy().any():
        raise ValueError("Candles must not contain NaN; leave a missing candle out instead.")


def _averages(prices: pd.DataFrame) -> dict[str, pd.Series]:
    close = prices["close"]
    simple = {f"sma_{length}": pandas_ta.sma(close, length=length, talib=True) for length in (20, 50, 200)}
    lengths = (9, 12, 20, 26, 50, 200)
    exponential = {f"ema_{length}": pandas_ta.ema(close, length=length, talib=True) for length in lengths}
    macd = pandas_ta.macd(close, fast=12, slow=26, signal=9, talib=True)
    names = {"MACD_12_26_9": "macd", "MACDs_12_26_9": "macd_signal", "MACDh_12_26_9": "macd_histogram"}
    return _or_nan({**simple, **exponential}, prices) | _renamed(macd, names, prices)


def _oscillators(prices: pd.DataFrame) -> dict[str, pd.Series]:
    high, low, close, volume = (prices[name] for name in ("high", "low", "close", "volume"))
    stochastic = pandas_ta.stoch(high, low, close, k=14, d=3, smooth_k=3, talib=True)
    names = {"STOCHk_14_3_3": "stochastic_k", "STOCHd_14_3_3": "stochastic_d"}
    single = {
        "rsi": pandas_ta.rsi(close, length=14, talib=True),
        "cci": pandas_ta.cci(high, low, close, length=20, talib=True),
        "williams_r": pandas_ta.willr(high, low, close, length=14, talib=True),
        "mfi": pandas_ta.mfi(high, low, close, volume, length=14, talib=True),
        "roc": pandas_ta.roc(close, length=10, talib=True),
        "momentum": pandas_ta.mom(close, length=10, talib=True),
    }
    return _or_nan(single, prices) | _renamed(stochastic, names, prices)


def _trend(prices: pd.DataFrame) -> dict[str, pd.Series]:
    high, low, close = prices["high"], prices["low"], prices["close"]
    adx = pandas_ta.adx(high, low, close, length=14, talib=True)
    arrays = (high.to_numpy(), low.to_numpy(), close.to_numpy())
    aroon = pandas_ta.aroon(high, low, length=14, talib=True)
    single = {
        "atr": pandas_ta.atr(high, low, close, length=14, talib=True),
        "atr_percent": pandas_ta.natr(high, low, close, length=14, talib=True),
    }
    return {
        **_or_nan(single, prices),
        **_renamed(adx, {"ADX_14": "adx"}, prices),
        **_renamed(aroon, {"AROONU_14": "aroon_up", "AROOND_14": "aroon_down"}, prices),
        # What pandas-ta calls DMP and DMN are the smoothed movements, not the indicators made of them.
        "plus_di": _aligned(talib.PLUS_DI(*arrays, timeperiod=14), prices),
        "minus_di": _aligned(talib.MINUS_DI(*arrays, timeperiod=14), prices),
    }


def _bands(prices: pd.DataFrame) -> dict[str, pd.Series]:
    bands = pandas_ta.bbands(prices["close"], length=20, lower_std=2.0, upper_std=2.0, talib=True)
    names = {"BBL_20_2.0_2.0": "bb_lower", "BBM_20_2.0_2.0": "bb_middle", "BBU_20_2.0_2.0": "bb_upper"}
    columns = _renamed(bands, names, prices)
    width = columns["bb_upper"] - columns["bb_lower"]
    extremes = pandas_ta.donchian(prices["high"], prices["low"], lower_length=20, upper_length=20)
    return {
        **columns,
        "bb_width": width / columns["bb_middle"] * 100,
        "bb_percent": (prices["close"] - columns["bb_lower"]) / width.where(width > 0) * 100,
        **_renamed(extremes, {"DCU_20_20": "highest_20", "DCL_20_20": "lowest_20"}, prices),
    }


def _volume(prices: pd.DataFrame) -> dict[str, pd.Series]:
    volume = prices["volume"]
    obv = _or_nan({"obv": pandas_ta.obv(prices["close"], volume, talib=True)}, prices)["obv"]
    typical_price = (prices["high"] + prices["low"] + prices["close"]) / 3
    traded = _windows(volume, 20).sum(axis=1)
    turnover = _windows(typical_price * volume, 20).sum(axis=1)
    weighted = np.divide(turnover, traded, out=np.full(len(traded), np.nan), where=traded > 0)
    return {
        "obv": obv - obv.iloc[:1].sum(),
        "vwap_20": _aligned(weighted, prices),
        **_or_nan({"volume_sma_20": pandas_ta.sma(volume, length=20, talib=True)}, prices),
    }


def _changes(prices: pd.DataFrame) -> dict[str, pd.Series]:
    ratio = prices["close"] / prices["close"].shift(1)
    log_return = pd.Series(np.log(ratio.to_numpy()), index=ratio.index)
    return {
        "return_percent": (ratio - 1) * 100,
        "log_return": log_return,
        "volatility_20": _aligned(_windows(log_return, 20).std(axis=1, ddof=1), prices),
    }


def _windows(values: pd.Series, length: int) -> FloatArray:
    """Return every full window of `values` as a row. Unlike a running sum, it leaves no rounding behind."""
    if len(values) < length:
        return np.empty((0, length))
    return sliding_window_view(values.to_numpy(dtype="float64"), length)


def _aligned(newest: FloatArray, prices: pd.DataFrame) -> pd.Series:
    padding = np.full(len(prices) - len(newest), np.nan)
    return pd.Series(np.concatenate([padding, newest]), index=prices.index)


def _or_nan(results: Mapping[str, pd.Series | None], prices: pd.DataFrame) -> dict[str, pd.Series]:
    """Replace the None that pandas-ta returns for too few rows by a column of NaN."""
    nothing = pd.Series(np.nan, index=prices.index, dtype="float64")
    return {name: nothing if result is None else result for name, result in results.items()}


def _renamed(
    result: pd.DataFrame | None, names: Mapping[str, str], prices: pd.DataFrame
) -> dict[str, pd.Series]:
    return _or_nan(
        {ours: None if result is None else result[theirs] for theirs, ours in names.items()}, prices
    )
