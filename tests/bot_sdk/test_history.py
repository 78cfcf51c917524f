from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bot_sdk.history import BLOCK_CANDLES, WINDOW_CANDLES, History, anchor, with_indicators
from bot_sdk.indicator_frame import IndicatorFrame
from bot_sdk.indicators import add_indicators
from bot_sdk.window import GrowingWindow
from tests.bot_sdk.samples import candles_of, wavy_candles

MINUTE = timedelta(minutes=1)
GRID = anchor("1m", datetime(2026, 3, 2, 12, 0, tzinfo=UTC))


def random_walk(count: int, first: datetime) -> pd.DataFrame:
    """Return minutes of a market in which nobody trades in some of them, a few missing."""
    random = np.random.default_rng(1)
    close = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 0.002, count))), 2)
    before = np.append(close[:1], close[:-1])
    volume = np.round(random.exponential(10, count), 5) * random.integers(0, 2, count)
    prices = {
        "open": before,
        "high": np.maximum(before, close) + random.integers(0, 50, count),
        "low": np.minimum(before, close) - random.integers(0, 50, count),
        "close": close,
    }
    index = pd.date_range(first, periods=count, freq="min", name="opened_at").as_unit("us")
    return pd.DataFrame(prices | {"volume": volume}, index=index).drop(index=index[[50, 51, 300]])


def live_window(candles: pd.DataFrame, row: int) -> pd.DataFrame:
    """Return what a live cycle sees at a row: a frame that begins at its candle's anchor."""
    first = anchor("1m", candles.index[row].to_pydatetime())
    frame = IndicatorFrame(candles.iloc[: row + 1].loc[first:])
    frame.replace(with_indicators(candles.iloc[: row + 1], "1m"))
    return frame.window(WINDOW_CANDLES)


def bits(values: pd.DataFrame) -> NDArray[np.int64]:
    numbers = values.to_numpy()
    return np.where(np.isnan(numbers), np.nan, numbers).view(np.int64)


@pytest.fixture(scope="module")
def walk() -> pd.DataFrame:
    return random_walk(2 * BLOCK_CANDLES + 1800, GRID + (BLOCK_CANDLES - 1200) * MINUTE)


@pytest.mark.parametrize(
    "row", [0, 1, 30, 250, 499, 500, 1196, 1197, 1198, 1900, 6196, 6197, 6198, 6700, 11796]
)
def test_a_row_has_the_bits_of_the_live_frame_at_that_candle(walk: pd.DataFrame, row: int) -> None:
    newest = with_indicators(walk, "1m").drop(columns="obv").iloc[[row]]

    np.testing.assert_array_equal(bits(newest), bits(live_window(walk, row).drop(columns="obv").iloc[[-1]]))


@pytest.mark.parametrize("row", [0, 1, 499, 500, 1196, 1200, 1400, 6196, 6198, 6450, 6696, 11796])
def test_a_window_has_the_bits_of_the_live_one(walk: pd.DataFrame, row: int) -> None:
    history = History(with_indicators(walk, "1m"), "1m")
    window = GrowingWindow(history.columns, length=WINDOW_CANDLES)
    for number in range(max(row - WINDOW_CANDLES + 1, 0), row + 1):
        window.append(int(history.stamps[number]), history.rows[number])

    seen, live = window.frame(), live_window(walk, row)

    np.testing.assert_array_equal(bits(seen), bits(live))
    pd.testing.assert_index_equal(seen.index, live.index)
    assert list(seen.columns) == list(live.columns)


def test_a_window_across_an_anchor_needs_the_rows_of_the_earlier_one(walk: pd.DataFrame) -> None:
    row = 6450
    alone = IndicatorFrame(walk.iloc[: row + 1].loc[anchor("1m", walk.index[row].to_pydatetime()) :])

    assert (bits(alone.window(WINDOW_CANDLES)) != bits(live_window(walk, row))).any()


def test_a_short_history_is_computed_as_a_whole() -> None:
    candles = wavy_candles(300)

    pd.testing.assert_frame_equal(with_indicators(candles, "1h"), add_indicators(candles), check_exact=True)


def test_a_history_without_candles_has_no_rows() -> None:
    assert len(with_indicators(wavy_candles(0), "1h")) == 0


@pytest.mark.parametrize("first", [-1, 3])
def test_the_first_row_lies_in_the_history(first: int) -> None:
    with pytest.raises(ValueError, match=f"from row {first + 1} on, and the history has 3"):
        History(candles_of([1, 2, 3]), "1h", first=first)


def test_a_bar_has_the_prices_that_were_quoted() -> None:
    frame = candles_of([0.1]).assign(high=0.3, low=0.07)

    bar = History(frame, "1h").bar(0)

    assert [str(price) for price in bar[2:]] == ["0.1", "0.3", "0.07", "0.1"]
    assert bar.closed_at - bar.opened_at == timedelta(hours=1)
    assert bar.opened_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_details_are_none(count: int) -> None:
    frame = candles_of([1.0, 2, 3])

    history = History(frame, "1h", detail=frame.iloc[:count])

    assert not history.is_detailed
    assert history.bars_within(1) == []


def test_details_are_those_inside_the_candle() -> None:
    frame = candles_of([100.0, 101, 102])
    opened = pd.date_range("2026-01-01 00:45", periods=3, freq="15min", tz="UTC", name="opened_at")
    detail = candles_of([100.0, 101, 105]).set_axis(opened)

    history = History(frame, "1h", detail=detail)

    closes = [[float(bar.close) for bar in history.bars_within(row)] for row in range(3)]
    assert closes == [[100], [101, 105], []]
    assert (history.lows, history.highs) == ([100, 101, 102], [100, 105, 102])
    (last,) = history.bars_within(0)
    assert last.closed_at == history.closed_at(0)


def test_details_that_do_not_reach_the_candles_low_leave_it_to_the_candle() -> None:
    frame = candles_of([100.0, 101]).assign(low=[80.0, 101.0])
    opened = pd.date_range("2026-01-01", periods=2, freq="15min", tz="UTC", name="opened_at")

    history = History(frame, "1h", detail=candles_of([100.0, 99.0]).set_axis(opened))

    assert history.bars_within(0) == []


def test_a_bot_is_answered_with_the_candles_up_to_its_own() -> None:
    history = History(add_indicators(wavy_candles(1200)), "1h")

    assert [row[4] for row in history.newest_candles(2)(1000)] == history.closes[:3].tolist()
    assert len(history.newest_candles(1199)(5000)) == 1000
    ((opened_at, *candle),) = history.newest_candles(7)(1)
    assert opened_at == datetime(2026, 1, 1, 7, tzinfo=UTC).timestamp() * 1000
    assert candle == wavy_candles(1200).iloc[7].tolist()
