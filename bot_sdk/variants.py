"""A history with another past or another future, which shows what a bot's decisions depend on.

Indicators are computed anew from the changed candles, so a history has to begin where its own indicators
began: with its first candle, or with the one before its first anchor. The order of prices inside a candle
is not carried over: only histories without a smaller timeframe can be varied.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from bot_sdk.history import History, with_indicators

PRICES = ["open", "high", "low", "close"]

Change = Callable[[pd.DataFrame], pd.DataFrame]  # candles become other candles, of the same opening times


def part(history: History, begin: int, end: int) -> History:
    """Return the rows from `begin` to before `end`, as if there had never been others.

    The bot is asked from the same candle on, or from the part's first one if that is later. Raises ValueError
    when the part ends before the bot is asked.
    """
    return _with_candles(history, history.candles.iloc[begin:end], max(history.first - begin, 0))


def with_future(history: History, row: int, change: Change) -> History:
    """Return the history with the candles from `row` on changed, and those before it as they are."""
    candles = history.candles
    changed = change(candles.iloc[row:])
    return _with_candles(history, pd.concat([candles.iloc[:row], changed]), history.first)


def scaled(candles: pd.DataFrame) -> pd.DataFrame:
    """Return candles with prices half as high again."""
    return candles.assign(**{name: candles[name] * 1.5 for name in PRICES})


def turned_round(candles: pd.DataFrame) -> pd.DataFrame:
    """Return the candles in the opposite order, each at the other's time."""
    return _in_order(candles, np.arange(len(candles))[::-1])


def shuffled(candles: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return the candles in an order drawn from `seed`, each at another's time."""
    return _in_order(candles, np.random.default_rng(seed).permutation(len(candles)))


FUTURES: tuple[Change, ...] = (scaled, turned_round, shuffled)


def _with_candles(history: History, candles: pd.DataFrame, first: int) -> History:
    if history.is_detailed:
        raise ValueError("Vary a history without candles of a smaller timeframe: they would not fit.")
    return History(with_indicators(candles, history.timeframe), history.timeframe, first=first)


def _in_order(candles: pd.DataFrame, order: np.ndarray) -> pd.DataFrame:
    return candles.iloc[order].set_axis(candles.index)
