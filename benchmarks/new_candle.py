"""What one new candle costs: a row appended to a market's frame, against computing the indicators anew.

Both give the same bits. Runs alternate; a ratio is the median of theirs, with the least and the largest.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import talib
from django.utils import timezone

from benchmarks.market_tick import TIMEFRAME, simulated_market
from bot_sdk.history import HISTORY_CANDLES, WINDOW_CANDLES
from bot_sdk.indicator_frame import IndicatorFrame
from bot_sdk.indicators import (
    INDICATORS,
    TALIB_CALLS,
    Call,
    add_indicators,
    candle_arrays,
    compute,
)
from bot_sdk.on_balance_volume import FloatArray
from bot_sdk.timeframes import duration, last_closed
from exchanges import candles
from exchanges.frames import frame_of
from exchanges.gateways import public_gateway
from exchanges.models import Market

ROWS = 500
RUNS = 9
CANDLES = 1000  # appended in each run
RECOMPUTED = 50  # times in each run
VIEWS = 40


def report() -> None:
    history = random_walk(ROWS + CANDLES)
    arrays = candle_arrays(history.iloc[:ROWS])
    new = list(
        zip(
            pd.DatetimeIndex(history.index[ROWS:]).to_pydatetime(),
            history.iloc[ROWS:].to_numpy().tolist(),
            strict=True,
        )
    )
    count = sum(len(call.gives) for call in TALIB_CALLS)
    print(f"{'microseconds for one new candle':50} appended   {ROWS} rows anew   ratio")
    compare(
        f"the {count} columns that TA-Lib has, its calls alone",
        lambda: seconds_to_update(arrays, [values for _, values in new]),
        lambda: seconds_to_recompute(lambda: call_talib(arrays)),
    )
    compare(
        f"all {len(INDICATORS)} columns, stored in the frame",
        lambda: seconds_to_append(history.iloc[:ROWS], new),
        lambda: seconds_to_recompute(lambda: compute(arrays)),
    )
    print()
    views()


def compare(title: str, appended: Callable[[], float], anew: Callable[[], float]) -> None:
    pairs = [(appended(), anew()) for _ in range(RUNS)]
    ratios = sorted(much / little for little, much in pairs)
    little, much = (median(side) * 1e6 for side in zip(*pairs, strict=True))
    span = f"1/{ratios[0]:.1f} to 1/{ratios[-1]:.1f}"
    print(f"{title:50} {little:8.1f}   {much:13.0f}   1/{median(ratios):.1f} ({span})")


def seconds_to_update(arrays: Sequence[FloatArray], new: Sequence[Sequence[float]]) -> float:
    """Return the time per candle of TA-Lib's streams, fed as a frame feeds them."""
    groups = [
        (reads, [opened(call, arrays).update for call in calls])
        for reads, calls in groupby(TALIB_CALLS, key=lambda call: call.reads)
    ]
    start = time.perf_counter()
    for candle in new:
        for reads, updates in groups:
            inputs = candle[reads]
            for update in updates:
                update(*inputs)
    return (time.perf_counter() - start) / len(new)


def opened(call: Call, arrays: Sequence[FloatArray]) -> Any:
    return getattr(talib.stream, call.function)(*arrays[call.reads], *call.parameters)


def call_talib(arrays: Sequence[FloatArray]) -> None:
    for call in TALIB_CALLS:
        getattr(talib, call.function)(*arrays[call.reads], *call.parameters)


def seconds_to_append(history: pd.DataFrame, new: Sequence[tuple[datetime, list[float]]]) -> float:
    frame = IndicatorFrame(history)
    start = time.perf_counter()
    for opened_at, values in new:
        frame.append(opened_at, *values)
    return (time.perf_counter() - start) / len(new)


def seconds_to_recompute(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(RECOMPUTED):
        work()
    return (time.perf_counter() - start) / RECOMPUTED


def views() -> None:
    """Print what a market's frame costs at each of a row of candles, once these are stored."""
    with simulated_market() as market:
        newest = last_closed(TIMEFRAME, timezone.now())
        candles.crawl(market, TIMEFRAME, public_gateway(market.exchange), newest, HISTORY_CANDLES + VIEWS)
        moments = [newest - back * duration(TIMEFRAME) for back in range(VIEWS, -1, -1)]
        pairs = [(seconds_carried_on(market, at), seconds_anew(market, at)) for at in moments]
    carried, anew = ([seconds * 1000 for seconds in side] for side in zip(*pairs, strict=True))
    print("ms for a market's window at a candle, from the stored candles to the frame of indicators")
    print(f"carried on      {of_median(carried[1:])}; first {carried[0]:.1f}")
    print(f"read and anew   {of_median(anew[1:])}\n")


def seconds_carried_on(market: Market, at: datetime) -> float:
    start = time.perf_counter()
    frame_of(market, TIMEFRAME, at)
    return time.perf_counter() - start


def seconds_anew(market: Market, at: datetime) -> float:
    start = time.perf_counter()
    add_indicators(candles.window(market, TIMEFRAME, at, HISTORY_CANDLES)).iloc[-WINDOW_CANDLES:]
    return time.perf_counter() - start


def of_median(values: Sequence[float]) -> str:
    return f"{median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


def random_walk(count: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    close = 60_000 * np.exp(np.cumsum(random.normal(0, 0.004, count)))
    opened_at = [datetime(2026, 1, 1, tzinfo=UTC) + row * timedelta(minutes=5) for row in range(count)]
    return pd.DataFrame(
        {
            "open": np.concatenate([close[:1], close[:-1]]),
            "high": close * (1 + random.random(count) * 0.01),
            "low": close * (1 - random.random(count) * 0.01),
            "close": close,
            "volume": random.exponential(10, count),
        },
        index=pd.DatetimeIndex(opened_at, name="opened_at"),
    )
