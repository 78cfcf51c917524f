from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import numpy as np
import pandas as pd
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from numpy.typing import NDArray
from pytest_django import DjangoAssertNumQueries

from bot_sdk.gaps import gap_in, holes
from bot_sdk.history import BLOCK_CANDLES, HISTORY_CANDLES, WINDOW_CANDLES, History, anchor, with_indicators
from bot_sdk.indicators import add_indicators
from bot_sdk.window import GrowingWindow
from exchanges.candles import window
from exchanges.frames import Frames
from exchanges.models import Candle, Market
from tests.factories import make_market

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GRID = anchor("1m", NOON) + 2 * BLOCK_CANDLES * MINUTE
"""The first candle after noon whose anchor is another."""


@pytest.fixture
def market() -> Market:
    return make_market()


def store(market: Market, first: datetime, count: int, *, timeframe: str = "1m", seed: int = 1) -> None:
    """Store `count` candles of a random walk, the first of them opened at `first`."""
    random = Random(seed)
    close = Decimal(60_000)
    rows = []
    for number in range(count):
        before, close = close, round(close * Decimal(1 + random.gauss(0, 0.002)), 2)
        rows.append(
            Candle(
                market=market,
                timeframe=timeframe,
                opened_at=first + number * (DAY if timeframe == "1d" else MINUTE),
                open=before,
                high=max(before, close) + random.randrange(50),
                low=min(before, close) - random.randrange(50),
                close=close,
                volume=round(Decimal(random.expovariate(0.1)), 5) * random.randrange(2),
            )
        )
    Candle.objects.bulk_create(rows)


def store_from(market: Market, back: int) -> None:
    """Store the minutes from `back` before noon to noon."""
    store(market, NOON - back * MINUTE, back + 1)


def bits(frame: pd.DataFrame) -> NDArray[np.int64]:
    values = frame.to_numpy()
    return np.where(np.isnan(values), np.nan, values).view(np.int64)


def all_at_once(market: Market, opened_at: datetime) -> pd.DataFrame:
    """What a backtest that reads the whole history sees at this candle."""
    history = History(with_indicators(window(market, "1m", opened_at, 20_000), "1m"), "1m")
    growing = GrowingWindow(history.columns, length=WINDOW_CANDLES)
    for row in range(max(len(history) - WINDOW_CANDLES, 0), len(history)):
        growing.append(int(history.stamps[row]), history.rows[row])
    return growing.frame()


def test_a_live_window_has_the_bits_of_a_backtest_over_the_whole_history(market: Market) -> None:
    store_from(market, 1500)
    live = Frames()

    for back in range(49, -1, -1):
        at = NOON - back * MINUTE
        seen = live.of(market, "1m", at)

        assert seen.window.index[-1] == at
        np.testing.assert_array_equal(bits(seen.window), bits(all_at_once(market, at)))


def test_a_backtest_has_the_bits_of_every_live_window_from_one_computation(market: Market) -> None:
    store_from(market, 1500)
    whole = add_indicators(window(market, "1m", NOON, 20_000)).drop(columns="obv")
    live = Frames()

    for back in range(9, -1, -1):
        seen = live.of(market, "1m", NOON - back * MINUTE).window.drop(columns="obv")

        np.testing.assert_array_equal(bits(seen), bits(whole.loc[seen.index]))


def test_the_anchor_moves_block_by_block() -> None:
    assert anchor("1m", GRID - MINUTE) == anchor("1m", NOON)
    assert anchor("1m", GRID) == anchor("1m", NOON) + BLOCK_CANDLES * MINUTE
    assert GRID - anchor("1m", GRID) == BLOCK_CANDLES * MINUTE
    assert anchor("1d", NOON) < NOON - BLOCK_CANDLES * DAY


def test_processes_that_began_at_different_times_see_the_same(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot_sdk.history.BLOCK_CANDLES", 700)
    store_from(market, 2000)
    early = Frames()

    for back in range(800, -1, -50):  # over more than a block, so that the early one moves its anchor
        at = NOON - back * MINUTE
        seen, late = early.of(market, "1m", at), Frames().of(market, "1m", at)

        np.testing.assert_array_equal(bits(seen.window), bits(late.window))
        pd.testing.assert_frame_equal(seen.history, late.history)
        np.testing.assert_array_equal(bits(seen.window), bits(all_at_once(market, at)))


def test_what_lies_a_block_back_has_no_weight_in_an_average(market: Market) -> None:
    random = np.random.default_rng(1)
    close = 60_000 * np.exp(np.cumsum(random.normal(0, 0.004, 12_000)))
    index = pd.date_range(GRID, periods=12_000, freq="min", name="opened_at")
    prices = {"open": close, "high": close * 1.001, "low": close * 0.998, "close": close}
    candles = pd.DataFrame({**prices, "volume": random.exponential(10, 12_000)}, index=index)

    older, younger = (add_indicators(candles.iloc[first:]).iloc[-6000:] for first in (0, 1000))

    recursive = ["ema_9", "ema_200", "macd", "macd_signal", "rsi", "adx", "plus_di", "atr"]
    np.testing.assert_array_equal(bits(older[recursive]), bits(younger[recursive]))
    # TA-Lib's running sums keep the rounding of all that they saw: hence anchors on a grid.
    np.testing.assert_allclose(older.drop(columns="obv"), younger.drop(columns="obv"), rtol=1e-6, atol=1e-9)


def test_an_earlier_candle_has_nothing_of_later_ones(market: Market) -> None:
    store_from(market, 1200)
    live = Frames()
    live.of(market, "1m", NOON)

    seen = live.of(market, "1m", NOON - 3 * MINUTE)

    assert seen.window.index[-1] == seen.history.index[-1] == NOON - 3 * MINUTE
    np.testing.assert_array_equal(bits(seen.window), bits(all_at_once(market, NOON - 3 * MINUTE)))
    again = live.of(market, "1m", NOON)
    np.testing.assert_array_equal(bits(again.window), bits(all_at_once(market, NOON)))


def test_older_candles_that_come_later_make_a_new_frame(market: Market) -> None:
    store_from(market, 300)
    live = Frames()
    assert len(live.of(market, "1m", NOON).window) == 301

    store(market, NOON - 900 * MINUTE, 600, seed=2)

    seen = live.of(market, "1m", NOON)
    assert (len(seen.window), len(seen.history)) == (500, 901)
    np.testing.assert_array_equal(bits(seen.window), bits(all_at_once(market, NOON)))


def test_a_hole_that_is_filled_makes_a_new_frame(market: Market) -> None:
    store_from(market, 700)
    hole = Candle.objects.get(opened_at=NOON - 100 * MINUTE)
    hole.delete()
    live = Frames()
    assert holes(pd.DatetimeIndex(live.of(market, "1m", NOON - MINUTE).window.index), "1m") == [
        (NOON - 100 * MINUTE, 1)
    ]

    hole.save(force_insert=True)

    seen = live.of(market, "1m", NOON)
    assert holes(pd.DatetimeIndex(seen.window.index), "1m") == []
    np.testing.assert_array_equal(bits(seen.window), bits(all_at_once(market, NOON)))


def test_a_new_candle_is_one_row_of_two_queries(
    market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    store_from(market, 1100)
    live = Frames()
    live.of(market, "1m", NOON - MINUTE)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        live.of(market, "1m", NOON)

    assert len(queries) == 2
    assert "LIMIT 1" in queries[1]["sql"]
    with django_assert_num_queries(1):
        live.of(market, "1m", NOON)


def test_the_history_is_the_stored_candles(market: Market) -> None:
    store_from(market, 1100)

    seen = Frames().of(market, "1m", NOON)

    stored = window(market, "1m", NOON, HISTORY_CANDLES)
    pd.testing.assert_frame_equal(seen.history, stored, check_exact=True)
    assert len(seen.window) == WINDOW_CANDLES


def test_markets_and_timeframes_have_frames_of_their_own(market: Market) -> None:
    other = make_market(trading_pair="ETH/USDT")
    store(market, NOON - 5 * MINUTE, 6)
    store(other, NOON - 5 * MINUTE, 6, seed=2)
    store(market, NOON - 5 * DAY, 6, timeframe="1d", seed=3)
    live = Frames()

    closes = [
        live.of(of, timeframe, NOON).window["close"].iloc[-1]
        for of, timeframe in ((market, "1m"), (other, "1m"), (market, "1d"))
    ]

    assert len(set(closes)) == 3


def test_without_candles_there_is_an_empty_frame_that_grows(market: Market) -> None:
    live = Frames()
    empty = live.of(market, "1m", NOON - 5 * MINUTE)
    assert (len(empty.window), len(empty.history)) == (0, 0)

    store(market, NOON - 4 * MINUTE, 5)

    np.testing.assert_array_equal(bits(live.of(market, "1m", NOON).window), bits(all_at_once(market, NOON)))


@pytest.mark.parametrize(("pair", "is_kept"), [("BTC/USDT", True), ("ETH/USDT", False), ("SOL/USDT", True)])
def test_the_frame_asked_for_longest_ago_gives_way(pair: str, is_kept: bool) -> None:
    markets = {each: make_market(trading_pair=each) for each in ("BTC/USDT", "ETH/USDT", "SOL/USDT")}
    live = Frames(limit=2)
    for each in ("BTC/USDT", "ETH/USDT", "BTC/USDT", "SOL/USDT"):
        live.of(markets[each], "1m", NOON)

    with CaptureQueriesContext(connection) as queries:
        live.of(markets[pair], "1m", NOON)

    assert ("COUNT" in queries[0]["sql"]) == is_kept  # only what is kept is compared with what is stored


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([], []),
        ([0], []),
        ([0, 1, 2], []),
        ([0, 2], [(1, 1)]),
        ([0, 1, 5, 6, 9], [(2, 3), (7, 2)]),
    ],
)
def test_holes_are_named_by_their_first_candle_and_their_length(
    minutes: list[int], expected: list[tuple[int, int]]
) -> None:
    index = pd.DatetimeIndex([NOON + minute * MINUTE for minute in minutes], dtype="datetime64[us, UTC]")

    found = holes(index, "1m")

    assert found == [(NOON + minute * MINUTE, count) for minute, count in expected]


@pytest.mark.parametrize(
    ("missing", "is_gap"),
    [
        ([], False),
        ([5], False),
        (range(100, 110), False),
        (range(100, 111), True),
        (range(0, 490, 10), False),
        (range(3, 480, 9), True),
    ],
)
def test_a_window_is_gapped_by_a_long_hole_or_by_many(missing: Iterable[int], is_gap: bool) -> None:
    minutes = [minute for minute in range(500) if minute not in set(missing)]
    index = pd.DatetimeIndex([NOON + minute * MINUTE for minute in minutes], dtype="datetime64[us, UTC]")

    assert bool(gap_in(index, "1m")) == is_gap


def test_an_empty_window_and_a_new_listing_have_no_gap() -> None:
    assert gap_in(pd.DatetimeIndex([], dtype="datetime64[us, UTC]"), "1m") == ""
    assert gap_in(pd.DatetimeIndex([NOON], dtype="datetime64[us, UTC]"), "1m") == ""
