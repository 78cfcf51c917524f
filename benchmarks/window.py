"""What a bot's look at the newest candles costs: a growing window's frame against a slice of the whole frame.

Both are made and read in one process, in rounds that alternate, as a backtest does it, with all indicators
and the live window's length. Times are of the CPU; the window's have the appended row in them. A ratio is the
median of the rounds', with the least and the largest.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pandas as pd

from benchmarks.new_candle import random_walk
from bot_sdk.history import WINDOW_CANDLES
from bot_sdk.indicators import add_indicators
from bot_sdk.window import GrowingWindow

CANDLES = 400  # looked at in each round
ROUNDS = 9

Look = Callable[[Any], object]


def report() -> None:
    frame = add_indicators(random_walk(WINDOW_CANDLES + CANDLES))
    print(f"{f'us for a look at {WINDOW_CANDLES} candles':42} a slice   the window   ratio")
    for title, look in LOOKS.items():
        pairs = [(of_slices(frame, look), of_window(frame, look)) for _ in range(ROUNDS)]
        ratios = sorted(slices / window for slices, window in pairs)
        slices, window = (median(side) * 1e6 for side in zip(*pairs, strict=True))
        span = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"{title:42} {slices:7.1f}   {window:10.1f}   {median(ratios):.2f} ({span})")
    print()


def of_slices(frame: pd.DataFrame, look: Look) -> float:
    """Return the seconds that a look takes, its slice of the frame included."""
    start = time.process_time()
    for row in range(WINDOW_CANDLES, WINDOW_CANDLES + CANDLES):
        look(frame.iloc[row + 1 - WINDOW_CANDLES : row + 1])
    return (time.process_time() - start) / CANDLES


def of_window(frame: pd.DataFrame, look: Look) -> float:
    """Return the seconds that a look takes, a row appended and a frame of the window included."""
    stamps = pd.DatetimeIndex(frame.index).as_unit("us").asi8.tolist()
    rows = list(zip(stamps, frame.to_numpy(), strict=True))
    window = GrowingWindow(frame.columns, length=WINDOW_CANDLES)
    for stamp, row in rows[:WINDOW_CANDLES]:
        window.append(stamp, row)
    start = time.process_time()
    for stamp, row in rows[WINDOW_CANDLES:]:
        window.append(stamp, row)
        look(window.frame())
    return (time.process_time() - start) / CANDLES


def relative_strength(data: Any) -> tuple[float, float]:
    return data["rsi"].iloc[-1], data["close"].iloc[-1]


def averages_cross(data: Any) -> Any:
    fast, slow = data["sma_20"], data["sma_50"]
    return fast.iloc[-2] <= slow.iloc[-2] and fast.iloc[-1] > slow.iloc[-1] and data["close"].iloc[-1] > 0


def newest_row(data: Any) -> Any:
    newest = data.iloc[-1]
    return newest["bb_percent"] < 30 and newest["adx"] < 60 and newest["close"] > 0


def features(data: Any) -> Any:
    return data[["open", "high", "low", "close", "volume"]].values[-60:]


def own_rolling(data: Any) -> tuple[float, float]:
    rolling = data["close"].rolling(50)
    return rolling.mean().iloc[-1], rolling.std().iloc[-1]


def own_column(data: Any) -> Any:
    data["spread"] = data["high"] - data["low"]
    return data["spread"].ewm(span=9).mean().iloc[-1]


def whole_frame(data: Any) -> Any:
    return data.dropna().mean()


LOOKS: dict[str, Look] = {
    "RSI: two numbers": relative_strength,
    "two averages cross: five numbers": averages_cross,
    "data.iloc[-1], three of its numbers": newest_row,
    "a model's input, data[[...]].values": features,
    "the bot's own rolling mean and deviation": own_rolling,
    "a column added, its exponential average": own_column,
    "data.dropna().mean()": whole_frame,
    "one number by data.loc": lambda data: data.loc[data.index[-1], "close"],
}
