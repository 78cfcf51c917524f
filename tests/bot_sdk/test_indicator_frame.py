import math
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pandas.errors import Pandas4Warning

from bot_sdk.indicator_frame import IndicatorFrame
from bot_sdk.indicators import CANDLE_COLUMNS, INDICATORS, add_indicators
from tests.bot_sdk.samples import candles_of, wavy_candles

with warnings.catch_warnings():
    # On import pandas-ta 0.4.71 sets an option and reads an attribute that pandas 4 removes.
    warnings.simplefilter("ignore", Pandas4Warning)
    import pandas_ta

HOUR = timedelta(hours=1)


def _average(function: Callable[..., Any], length: int, of: pd.DataFrame) -> Any:
    return function(of["close"], length=length, talib=True)


def _bars(function: Callable[..., Any], of: pd.DataFrame, **parameters: int) -> Any:
    return function(of["high"], of["low"], of["close"], **parameters, talib=True)


def _bands(of: pd.DataFrame) -> Any:
    return pandas_ta.bbands(of["close"], length=20, lower_std=2.0, upper_std=2.0, talib=True)


def _extremes(of: pd.DataFrame) -> Any:
    return pandas_ta.donchian(of["high"], of["low"], lower_length=20, upper_length=20)


# What we call it, and what pandas-ta does, over one frame of candles.
PANDAS_TA: dict[str, Callable[[pd.DataFrame], Any]] = {
    **{f"sma_{length}": partial(_average, pandas_ta.sma, length) for length in (20, 50, 200)},
    **{f"ema_{length}": partial(_average, pandas_ta.ema, length) for length in (9, 12, 20, 26, 50, 200)},
    "macd": lambda of: pandas_ta.macd(of["close"], talib=True)["MACD_12_26_9"],
    "macd_signal": lambda of: pandas_ta.macd(of["close"], talib=True)["MACDs_12_26_9"],
    "macd_histogram": lambda of: pandas_ta.macd(of["close"], talib=True)["MACDh_12_26_9"],
    "rsi": lambda of: pandas_ta.rsi(of["close"], length=14, talib=True),
    "stochastic_k": lambda of: _bars(pandas_ta.stoch, of)["STOCHk_14_3_3"],
    "stochastic_d": lambda of: _bars(pandas_ta.stoch, of)["STOCHd_14_3_3"],
    "cci": lambda of: _bars(pandas_ta.cci, of, length=20),
    "williams_r": lambda of: _bars(pandas_ta.willr, of, length=14),
    "mfi": lambda of: pandas_ta.mfi(of["high"], of["low"], of["close"], of["volume"], length=14, talib=True),
    "roc": lambda of: pandas_ta.roc(of["close"], length=10, talib=True),
    "momentum": lambda of: pandas_ta.mom(of["close"], length=10, talib=True),
    "adx": lambda of: _bars(pandas_ta.adx, of, length=14)["ADX_14"],
    "aroon_up": lambda of: pandas_ta.aroon(of["high"], of["low"], length=14, talib=True)["AROONU_14"],
    "aroon_down": lambda of: pandas_ta.aroon(of["high"], of["low"], length=14, talib=True)["AROOND_14"],
    "bb_lower": lambda of: _bands(of)["BBL_20_2.0_2.0"],
    "bb_middle": lambda of: _bands(of)["BBM_20_2.0_2.0"],
    "bb_upper": lambda of: _bands(of)["BBU_20_2.0_2.0"],
    "bb_width": lambda of: _bands(of)["BBB_20_2.0_2.0"],
    "bb_percent": lambda of: _bands(of)["BBP_20_2.0_2.0"] * 100,
    "atr": lambda of: _bars(pandas_ta.atr, of, length=14),
    "atr_percent": lambda of: _bars(pandas_ta.natr, of, length=14),
    "volatility_20": lambda of: pandas_ta.stdev(
        pandas_ta.log_return(of["close"], length=1), length=20, ddof=1, talib=False
    ),
    "obv": lambda of: pandas_ta.obv(of["close"], of["volume"], talib=True) - of["volume"].iloc[0],
    "volume_sma_20": lambda of: pandas_ta.sma(of["volume"], length=20, talib=True),
    "highest_20": lambda of: _extremes(of)["DCU_20_20"],
    "lowest_20": lambda of: _extremes(of)["DCL_20_20"],
    "return_percent": lambda of: pandas_ta.percent_return(of["close"], length=1) * 100,
    "log_return": lambda of: pandas_ta.log_return(of["close"], length=1),
}
# pandas-ta's vwap begins anew with each day, and what it calls DMP and DMN is smoothed movement.
NOT_PANDAS_TAS = {"vwap_20", "plus_di", "minus_di"}


def market(kind: str, count: int) -> pd.DataFrame:
    """Return `count` hourly candles of a market of some kind, the same ones every time."""
    random = np.random.default_rng([*kind.encode()])
    first, deviation = {"tiny": (1e-8, 0.02), "huge": (1e12, 0.02)}.get(kind, (60_000.0, 0.004))
    close = first * np.exp(np.cumsum(random.normal(0, deviation, count)))
    if kind == "flat":
        close[:] = 61_234.56
    if kind == "stairs":  # the same close for ten candles, and no other price in them
        close = np.repeat(100 + random.integers(0, 3, count // 10 + 1) * np.float64(0.1), 10)[:count]
    spread = 0.0 if kind in ("flat", "stairs") else 0.01
    volume = random.exponential(10, count) * (random.random(count) < 0.7)
    if kind == "stairs":
        volume[count // 3 : count // 2] = 0.0
    return candles_of(close.tolist()).assign(
        open=np.concatenate([close[:1], close[:-1]]),
        high=close * (1 + spread * random.random(count)),
        low=close * (1 - spread * random.random(count)),
        volume=volume,
    )


def bits(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Return the frame's numbers as they lie in memory, all NaN alike."""
    values = frame.to_numpy()
    return np.where(np.isnan(values), math.nan, values).view(np.int64)


def rows_of(candles: pd.DataFrame) -> list[tuple[datetime, list[float]]]:
    return list(
        zip(pd.DatetimeIndex(candles.index).to_pydatetime(), candles.to_numpy().tolist(), strict=True)
    )


def extend(frame: IndicatorFrame, candles: pd.DataFrame) -> IndicatorFrame:
    for opened_at, values in rows_of(candles):
        frame.append(opened_at, *values)
    return frame


@pytest.mark.parametrize("kind", ["walk", "tiny", "huge", "flat", "stairs"])
def test_appending_gives_the_bits_of_computing_at_once(kind: str) -> None:
    candles = market(kind, 4000)

    appended = extend(IndicatorFrame(candles.head(0)), candles).window(4000)

    at_once = add_indicators(candles)
    pd.testing.assert_frame_equal(appended, at_once, check_exact=True, check_freq=False)
    np.testing.assert_array_equal(bits(appended), bits(at_once))


@pytest.mark.parametrize("kind", ["walk", "stairs"])
def test_it_does_not_matter_how_much_was_there_at_first(kind: str) -> None:
    candles = market(kind, 320)
    at_once = bits(add_indicators(candles))

    for first in range(301):
        frame = extend(IndicatorFrame(candles.head(first)), candles.iloc[first:])

        np.testing.assert_array_equal(bits(frame.window(320)), at_once, err_msg=f"began with {first}")


@pytest.mark.parametrize("name", INDICATORS)
def test_a_name_has_pandas_tas_values(name: str) -> None:
    candles = market("walk", 600)

    ours = add_indicators(candles)[name]

    if name in NOT_PANDAS_TAS:
        assert name not in PANDAS_TA
    else:
        theirs = PANDAS_TA[name](candles)
        known = ours.notna() & theirs.notna()
        assert known.sum() >= 400
        np.testing.assert_allclose(ours[known], theirs[known], rtol=1e-9, atol=1e-11)


def test_a_row_never_changes_when_later_ones_come() -> None:
    candles = market("walk", 300)
    frame = IndicatorFrame(candles.head(250))
    before = frame.window(100).drop(columns="obv")

    extend(frame, candles.iloc[250:])

    after = frame.window(150).head(100).drop(columns="obv")
    np.testing.assert_array_equal(bits(after), bits(before))


def test_a_window_is_the_newest_rows_and_a_copy() -> None:
    frame = IndicatorFrame(wavy_candles(300))
    window = frame.window(10)
    assert list(window.index) == list(wavy_candles(300).index[-10:])

    window.loc[:, :] = 0.0

    pd.testing.assert_frame_equal(frame.window(300), add_indicators(wavy_candles(300)), check_freq=False)
    assert frame.window(10)["close"].gt(0).all()
    assert len(frame.window(1000)) == 300


def test_a_window_has_its_candles_alone_too() -> None:
    frame = extend(IndicatorFrame(wavy_candles(50)), wavy_candles(60).tail(10))

    candles = frame.candles(20)

    pd.testing.assert_frame_equal(candles, wavy_candles(60)[list(CANDLE_COLUMNS)].tail(20), check_freq=False)


def test_obv_counts_from_the_windows_first_row_wherever_the_history_begins() -> None:
    candles = market("walk", 900)

    windows = [IndicatorFrame(candles.iloc[first:]).window(500)["obv"] for first in (0, 123, 400)]

    assert windows[0].iloc[0] == 0
    assert windows[0].to_list() == windows[1].to_list() == windows[2].to_list()
    assert windows[0].to_list() == add_indicators(candles.tail(500))["obv"].to_list()


def test_what_is_not_kept_changes_no_value_and_takes_no_memory() -> None:
    candles = market("walk", 2000)

    short = extend(IndicatorFrame(candles.head(700), keep=100), candles.iloc[700:])

    whole = IndicatorFrame(candles)
    np.testing.assert_array_equal(bits(short.window(100)), bits(whole.window(100)))
    assert 100 <= len(short.window(2000)) <= 201


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda at, row: (at - HOUR, row), "opened after 2026-01-13 11:00:00 UTC"),
        (lambda at, row: (at - 9 * HOUR, row), "opened after 2026-01-13 11:00:00 UTC"),
        (lambda at, row: (at.replace(tzinfo=None), row), "with a time zone"),
        (lambda at, row: (at, [*row[:4], math.nan]), "must not contain NaN"),
        (lambda at, row: (at, [math.inf, *row[1:]]), "must not contain NaN or infinity"),
        (lambda at, row: (at, [*row[:4], None]), "five numbers"),
        (lambda at, row: (at, [row[:2], *row[1:]]), "five numbers"),
    ],
)
def test_a_candle_that_does_not_fit_is_refused_and_changes_nothing(
    spoil: Callable[[datetime, list[float]], tuple[datetime, list[float]]], message: str
) -> None:
    frame = IndicatorFrame(wavy_candles(300))
    [(opened_at, row)] = rows_of(wavy_candles(301).tail(1))
    at, spoiled = spoil(opened_at, row)

    with pytest.raises(ValueError, match=message):
        frame.append(at, *spoiled)

    frame.append(opened_at, *row)
    np.testing.assert_array_equal(bits(frame.window(301)), bits(add_indicators(wavy_candles(301))))


def test_candles_of_another_shape_make_no_frame() -> None:
    with pytest.raises(ValueError, match="missing: volume"):
        IndicatorFrame(wavy_candles(30).drop(columns="volume"))
    with pytest.raises(ValueError, match="must not contain NaN or infinity"):
        IndicatorFrame(wavy_candles(30).assign(close=math.inf))
