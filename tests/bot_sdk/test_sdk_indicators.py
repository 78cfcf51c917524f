import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.typing import NDArray

from bot_sdk.indicators import CANDLE_COLUMNS, INDICATORS, WARM_UP_CANDLES, add_indicators
from tests.bot_sdk.samples import candles_of, wavy_candles

ROOT = Path(__file__).parents[2]

Arrays = Mapping[str, NDArray[np.float64]]

# The columns that TA-Lib has too, straight from it.
STRAIGHT: dict[str, Callable[[Arrays], NDArray[np.float64]]] = {
    "sma_20": lambda of: talib.SMA(of["close"], 20),
    "sma_50": lambda of: talib.SMA(of["close"], 50),
    "sma_200": lambda of: talib.SMA(of["close"], 200),
    "ema_9": lambda of: talib.EMA(of["close"], 9),
    "ema_12": lambda of: talib.EMA(of["close"], 12),
    "ema_20": lambda of: talib.EMA(of["close"], 20),
    "ema_26": lambda of: talib.EMA(of["close"], 26),
    "ema_50": lambda of: talib.EMA(of["close"], 50),
    "ema_200": lambda of: talib.EMA(of["close"], 200),
    "macd": lambda of: talib.MACD(of["close"], 12, 26, 9)[0],
    "macd_signal": lambda of: talib.MACD(of["close"], 12, 26, 9)[1],
    "macd_histogram": lambda of: talib.MACD(of["close"], 12, 26, 9)[2],
    "rsi": lambda of: talib.RSI(of["close"], 14),
    "stochastic_k": lambda of: talib.STOCH(of["high"], of["low"], of["close"], 14, 3, slowd_period=3)[0],
    "stochastic_d": lambda of: talib.STOCH(of["high"], of["low"], of["close"], 14, 3, slowd_period=3)[1],
    "cci": lambda of: talib.CCI(of["high"], of["low"], of["close"], 20),
    "williams_r": lambda of: talib.WILLR(of["high"], of["low"], of["close"], 14),
    "mfi": lambda of: talib.MFI(of["high"], of["low"], of["close"], of["volume"], 14),
    "roc": lambda of: talib.ROC(of["close"], 10),
    "momentum": lambda of: talib.MOM(of["close"], 10),
    "adx": lambda of: talib.ADX(of["high"], of["low"], of["close"], 14),
    "plus_di": lambda of: talib.PLUS_DI(of["high"], of["low"], of["close"], 14),
    "minus_di": lambda of: talib.MINUS_DI(of["high"], of["low"], of["close"], 14),
    "aroon_up": lambda of: talib.AROON(of["high"], of["low"], 14)[1],
    "aroon_down": lambda of: talib.AROON(of["high"], of["low"], 14)[0],
    "bb_lower": lambda of: talib.BBANDS(of["close"], 20, 2, 2)[2],
    "bb_middle": lambda of: talib.BBANDS(of["close"], 20, 2, 2)[1],
    "bb_upper": lambda of: talib.BBANDS(of["close"], 20, 2, 2)[0],
    "atr": lambda of: talib.ATR(of["high"], of["low"], of["close"], 14),
    "atr_percent": lambda of: talib.NATR(of["high"], of["low"], of["close"], 14),
    "obv": lambda of: talib.OBV(of["close"], of["volume"]) - of["volume"][0],
    "volume_sma_20": lambda of: talib.SMA(of["volume"], 20),
    "highest_20": lambda of: talib.MAX(of["high"], 20),
    "lowest_20": lambda of: talib.MIN(of["low"], 20),
    "return_percent": lambda of: talib.ROC(of["close"], 1),
}

# A new version of a library must not move what subscribers' bots decide on.
NEWEST_WAVY_ROW = {
    "rsi": 46.19555756,
    "cci": -42.18314775,
    "bb_upper": 123.84565386,
    "macd_histogram": -0.83375407,
    "adx": 19.20998061,
    "plus_di": 16.10024907,
    "mfi": 54.00762010,
}


@pytest.fixture(scope="module")
def wavy() -> pd.DataFrame:
    return add_indicators(wavy_candles(300))


@pytest.mark.parametrize("name", STRAIGHT)
def test_a_column_equals_talib_in_every_row(wavy: pd.DataFrame, name: str) -> None:
    arrays = {column: wavy[column].to_numpy() for column in CANDLE_COLUMNS}

    np.testing.assert_allclose(wavy[name].to_numpy(), STRAIGHT[name](arrays), rtol=1e-12, atol=1e-12)


def test_the_frame_has_the_candles_and_every_documented_column(wavy: pd.DataFrame) -> None:
    assert list(wavy.columns) == [*CANDLE_COLUMNS, *INDICATORS]
    assert set(wavy.dtypes) == {np.dtype("float64")}
    assert all(description.endswith(".") for description in INDICATORS.values())
    pd.testing.assert_frame_equal(wavy[list(CANDLE_COLUMNS)], wavy_candles(300)[list(CANDLE_COLUMNS)])


def test_every_column_has_a_value_from_the_end_of_the_warm_up_on(wavy: pd.DataFrame) -> None:
    assert wavy.iloc[WARM_UP_CANDLES - 1 :].notna().all(axis=None)
    assert wavy.iloc[WARM_UP_CANDLES - 2].isna().any()


@pytest.mark.parametrize("count", [0, 1, 2, 5, 14, 15, 20, 21, 28, 34, 40, 199, 200])
def test_a_shorter_frame_has_the_same_values_as_a_longer_one(wavy: pd.DataFrame, count: int) -> None:
    short = add_indicators(wavy_candles(300).head(count))

    pd.testing.assert_frame_equal(short, wavy.head(count), rtol=1e-9, check_freq=False)


def test_the_candles_that_came_in_are_left_alone() -> None:
    candles = wavy_candles(30)

    add_indicators(candles)

    pd.testing.assert_frame_equal(candles, wavy_candles(30))


def test_rsi_is_wilders_and_silent_in_its_warm_up() -> None:
    closes = [100.0]
    for _ in range(7):
        closes += [closes[-1] + 2, closes[-1] + 1]

    rsi = add_indicators(candles_of([*closes, closes[-1] + 2]))["rsi"]

    # 7 gains of 2 against 7 losses of 1, then one more gain of 2: (13 x 1 + 2) / 14 against 13 x 0.5 / 14.
    assert rsi.iloc[:14].isna().all()
    assert rsi.iloc[14] == pytest.approx(100 * 14 / 21)
    assert rsi.iloc[15] == pytest.approx(100 * 15 / 21.5)


def test_cci_divides_the_whole_distance_from_the_mean() -> None:
    cci = add_indicators(candles_of(range(1, 21)))["cci"]

    # The mean of 1 to 20 is 10.5 and the mean distance from it 5.
    assert cci.iloc[-1] == pytest.approx((20 - 10.5) / (0.015 * 5))


def test_bollinger_bands_take_the_population_deviation() -> None:
    newest = add_indicators(candles_of(range(1, 21))).iloc[-1]

    deviation = (399 / 12) ** 0.5  # of 1 to 20; the sample's would be the root of 35
    assert newest["bb_upper"] == pytest.approx(10.5 + 2 * deviation)
    assert newest["bb_lower"] == pytest.approx(10.5 - 2 * deviation)
    assert newest["bb_width"] == pytest.approx(4 * deviation / 10.5 * 100)
    assert newest["bb_percent"] == pytest.approx(50 + 9.5 / (4 * deviation) * 100)


def test_the_newest_row_of_a_fixed_series_never_changes(wavy: pd.DataFrame) -> None:
    assert wavy.iloc[-1][list(NEWEST_WAVY_ROW)].to_dict() == pytest.approx(NEWEST_WAVY_ROW, abs=1e-7)


def test_volume_weighs_the_average_price() -> None:
    candles = candles_of([10.0] * 19 + [40.0])
    candles.loc[candles.index[-1], "volume"] = 5.0 * 19

    assert add_indicators(candles)["vwap_20"].iloc[-1] == pytest.approx(25.0)


def test_obv_starts_at_zero_and_adds_the_volume_of_rises() -> None:
    assert add_indicators(candles_of([10, 11, 11, 9, 12]))["obv"].tolist() == [0, 5, 5, 0, 5]


def test_returns_and_volatility_follow_the_close() -> None:
    closes = [100.0 * 1.01 ** (row % 2) for row in range(21)]

    newest = add_indicators(candles_of(closes)).iloc[-1]

    assert newest["return_percent"] == pytest.approx((1 / 1.01 - 1) * 100)
    assert newest["log_return"] == pytest.approx(-np.log(1.01))
    assert newest["volatility_20"] == pytest.approx(np.log(1.01) * (20 / 19) ** 0.5)


# At 0.1 and 61234.56 the average is off by its last bit, and the close not on the bands that coincide.
@pytest.mark.parametrize("price", [100.0, 0.1, 61234.56])
def test_a_flat_price_gives_no_infinite_value_and_no_place_between_bands(price: float) -> None:
    newest = add_indicators(candles_of([price] * 250)).iloc[-1]

    assert newest.index[newest.isna()].tolist() == ["bb_percent"]
    assert np.isfinite(newest.drop("bb_percent")).all()
    assert newest[["rsi", "cci", "atr", "volatility_20", "bb_width"]].eq(0).all()
    assert newest["macd"] == pytest.approx(0, abs=price * 1e-12)


def test_a_penny_market_has_the_same_indicators_on_its_own_scale(wavy: pd.DataFrame) -> None:
    scale = 2.0**-30
    candles = wavy_candles(300)

    pennies = add_indicators(candles.assign(**{name: candles[name] * scale for name in CANDLE_COLUMNS[:4]}))

    for name in ("bb_lower", "bb_upper", "atr", "macd"):
        np.testing.assert_allclose(pennies[name], wavy[name] * scale, rtol=1e-9)
    for name in ("rsi", "cci", "bb_percent", "adx", "mfi"):
        np.testing.assert_allclose(pennies[name], wavy[name], rtol=1e-9)


def test_a_market_without_volume_has_no_weighted_price() -> None:
    newest = add_indicators(candles_of(range(100, 350), volume=0.0)).iloc[-1]

    assert newest.index[newest.isna()].tolist() == ["vwap_20"]
    assert newest["obv"] == 0


def test_integers_and_extra_columns_are_welcome() -> None:
    candles = wavy_candles(30).assign(trades=7, volume=range(30))

    assert list(add_indicators(candles).columns) == [*CANDLE_COLUMNS, *INDICATORS]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda candles: candles.drop(columns=["volume"]), "missing: volume"),
        (lambda candles: candles.reset_index(drop=True), "DatetimeIndex in UTC named opened_at"),
        (lambda candles: candles.tz_localize(None), "DatetimeIndex in UTC named opened_at"),
        (lambda candles: candles.rename_axis("date"), "DatetimeIndex in UTC named opened_at"),
        (lambda candles: candles.iloc[::-1], "oldest first, each once"),
        (lambda candles: candles.iloc[[0, 0, 1]], "oldest first, each once"),
        (lambda candles: candles.assign(close=np.nan), "must not contain NaN"),
    ],
)
def test_a_frame_of_another_shape_is_refused(
    spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        add_indicators(spoil(wavy_candles(30)))


def test_without_talib_there_are_no_indicators_rather_than_wrong_ones() -> None:
    check = "import sys; sys.modules['talib'] = None; import bot_sdk.indicators"

    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "bot_sdk.indicators needs TA-Lib" in done.stderr


def test_computing_prints_nothing_and_warns_of_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    add_indicators(wavy_candles(250))

    assert capfd.readouterr() == ("", "")
