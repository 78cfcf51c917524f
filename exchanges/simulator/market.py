"""What the simulated market shows at a moment: candles, last price, bid and ask, order book.

Everything follows from the tape (a seed, or a file of candles) and the time: a restarted simulator shows the
same history, and any two candles that cover the same minutes agree to the last digit, because prices are
whole ticks, amounts whole steps, and larger candles sums of the minutes. Only a price that somebody held by
the control API is not on the tape.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.paths import (
    MINUTES_PER_DAY,
    TRADES_PER_DAY,
    TRADES_PER_MINUTE,
    deviates,
    log_prices,
    time_of_day,
)

MINUTE_MS = 60_000
DAY_MS = MINUTES_PER_DAY * MINUTE_MS
TRADE_MS = MINUTE_MS // TRADES_PER_MINUTE
MINUTES_PER_HOUR = 60
FIRST_DAY = 18_262  # 2020-01-01, in days since the Unix epoch; nothing was listed before
SPREAD_FRACTION = 0.00005  # between best bid and best ask
LEVEL_FRACTION = 0.00004  # between two levels of the book
LEVEL_VOLUME_FRACTION = 0.03  # of a typical minute's volume rests on a level
MOST_LEVELS = 5000  # of one side of the book
USUAL_MINUTE_RANGE = 0.0008  # between high and low, as a fraction; wider minutes trade more
QUIET_ABOVE = 2.0  # standard deviations: nobody trades in 2.3 % of the minutes
HIGHEST = np.iinfo(np.int64).max

type Whole = NDArray[np.int64]
type Mask = NDArray[np.bool_]


class Column(IntEnum):
    """The columns of bars: prices in ticks, volumes in steps, `COST` and `BOUGHT_COST` in ticks x steps."""

    OPEN = 0
    HIGH = 1
    LOW = 2
    CLOSE = 3
    VOLUME = 4
    COST = 5
    TRADES = 6
    BOUGHT_VOLUME = 7
    BOUGHT_COST = 8


@dataclass(frozen=True)
class Quote:
    """Prices now, in ticks. `trade` numbers the last trade in time."""

    last: int
    bid: int
    ask: int
    trade: int


class Tape(Protocol):
    """Recorded prices that take the place of the seed's in one market. `day` counts from the Unix epoch."""

    def prices(self, day: int) -> Whole:
        """Return the day's prices in ticks, one per trade."""

    def volumes(self, day: int) -> Whole:
        """Return the amount traded in each minute of the day, in steps; 0 where there is no candle."""


@dataclass(frozen=True)
class Trades:
    """Consecutive trades: their numbers, prices in ticks and amounts in steps."""

    numbers: range
    prices: list[int]
    amounts: list[int]


class Market:
    """All markets of one seed. Times are milliseconds since the Unix epoch.

    With `has_quiet_minutes` there are minutes in which nobody trades; their bars have no volume.
    """

    def __init__(
        self, seed: int, *, has_quiet_minutes: bool = False, tapes: dict[str, Tape] | None = None
    ) -> None:
        self._seed = seed
        self._has_quiet_minutes = has_quiet_minutes
        self._tapes = tapes or {}
        self._held: dict[str, list[tuple[int, int | None]]] = {}
        self._prices = lru_cache(maxsize=32)(self._compute_prices)
        self._minutes = lru_cache(maxsize=64)(self._compute_minutes)
        self._hours = lru_cache(maxsize=8192)(self._compute_hours)

    def candles(self, symbol: str, minutes: int, first: int, last: int, now: int) -> tuple[range, Whole]:
        """Return the numbers of the candles from `first` to `last` that had begun by `now`, and their bars.

        Candle `n` of `minutes` opens at n * minutes * 60,000; a day is a multiple of `minutes`. The newest
        one may be in progress: it holds what happened until `now`. There is none before the first day.
        """
        per_day = MINUTES_PER_DAY // minutes
        current = now // (minutes * MINUTE_MS)
        numbers = range(max(first, FIRST_DAY * per_day), min(last, current) + 1)
        if not numbers:
            return range(0), np.empty((0, len(Column)), dtype=np.int64)
        closed = range(numbers.start, min(numbers.stop, current))
        parts = []
        if closed:
            days = range(closed.start // per_day, (closed.stop - 1) // per_day + 1)
            whole_days = np.concatenate([self._day(symbol, minutes, day) for day in days])
            parts.append(whole_days[closed.start - days.start * per_day :][: len(closed)])
        if current in numbers:
            parts.append(self._in_progress(symbol, current * minutes, now))
        return numbers, np.concatenate(parts)

    def last_day(self, symbol: str, now: int) -> Whole:
        """Return one bar over the 24 hours, to the minute, that end now."""
        current = now // MINUTE_MS
        _, bars = self.candles(symbol, 1, current - MINUTES_PER_DAY + 1, current, now)
        whole: Whole = merge(bars, len(bars))[0]
        return whole

    def hold(self, symbol: str, price: int | None, now: int) -> None:
        """Keep the price at so many ticks from now on; None lets it go its own way again."""
        self._held.setdefault(symbol, []).append((now // TRADE_MS, price))
        for cached in (self._prices, self._minutes, self._hours):
            cached.cache_clear()

    def trades(self, symbol: str, first: int, last: int) -> Trades:
        """Return the trades numbered from `first` to `last`."""
        prices: list[int] = []
        amounts: list[int] = []
        for day in range(first // TRADES_PER_DAY, last // TRADES_PER_DAY + 1):
            start, stop = (
                max(first - day * TRADES_PER_DAY, 0),
                min(last + 1 - day * TRADES_PER_DAY, TRADES_PER_DAY),
            )
            prices += self._prices(symbol, day)[start:stop].tolist()
            volumes = self._minutes(symbol, day)[:, Column.VOLUME] // TRADES_PER_MINUTE
            amounts += np.repeat(volumes, TRADES_PER_MINUTE)[start:stop].tolist()
        return Trades(range(first, last + 1), prices, amounts)

    def quote(self, symbol: str, now: int) -> Quote:
        """Return last, bid and ask now; the last trade was at one of the latter two."""
        trade = now // TRADE_MS
        last, before = (self._price(symbol, number) for number in (trade, trade - 1))
        spread = max(1, round(last * SPREAD_FRACTION))
        bid = max(1, last - spread if last >= before else last)
        return Quote(last=last, bid=bid, ask=bid + spread, trade=trade)

    def depth(self, symbol: str, side: str, levels: int, now: int) -> list[tuple[int, int]]:
        """Return the best levels of the "bids" or "asks" as (price in ticks, amount in steps), best first."""
        quote = self.quote(symbol, now)
        gaps = np.arange(levels) * max(1, round(quote.last * LEVEL_FRACTION))
        prices = quote.bid - gaps if side == "bids" else quote.ask + gaps
        listing = LISTINGS[symbol]
        usual = listing.volume * LEVEL_VOLUME_FRACTION / float(listing.step)
        drawn = deviates(self._seed, f"{symbol} {side}", quote.trade * MOST_LEVELS, levels)
        amounts = np.maximum(1, usual * np.exp(0.8 * drawn) * (1 + np.arange(levels) / 20)).astype(np.int64)
        levels_of_book = zip(prices.tolist(), amounts.tolist(), strict=True)
        return [(price, amount) for price, amount in levels_of_book if price > 0]

    def _price(self, symbol: str, trade: int) -> int:
        day, number = divmod(trade, TRADES_PER_DAY)
        return int(self._prices(symbol, day)[number])

    def _compute_prices(self, symbol: str, day: int) -> Whole:
        tape = self._tapes.get(symbol)
        own = self._seeded_prices(symbol, day) if tape is None else tape.prices(day)
        whole = own.copy()
        for trade, price in self._held.get(symbol, ()):
            start = max(trade - day * TRADES_PER_DAY, 0)
            whole[start:] = own[start:] if price is None else price
        return whole

    def _seeded_prices(self, symbol: str, day: int) -> Whole:
        ticks = np.exp(log_prices(self._seed, symbol, day)) / float(LISTINGS[symbol].tick)
        whole: Whole = np.maximum(1, np.rint(ticks)).astype(np.int64)
        if self._has_quiet_minutes:
            _stand_still(whole, np.repeat(self._is_quiet(symbol, day), TRADES_PER_MINUTE))
        return whole

    def _is_quiet(self, symbol: str, day: int) -> Mask:
        """Tell in which minutes nobody trades: never in a day's first, which has no trade before it."""
        drawn = deviates(self._seed, f"{symbol} quiet", day * MINUTES_PER_DAY, MINUTES_PER_DAY)
        quiet: Mask = drawn > QUIET_ABOVE
        quiet[0] = False
        return quiet

    def _compute_minutes(self, symbol: str, day: int) -> Whole:
        prices = self._prices(symbol, day).reshape(MINUTES_PER_DAY, TRADES_PER_MINUTE)
        bars = np.empty((MINUTES_PER_DAY, len(Column)), dtype=np.int64)
        bars[:, Column.OPEN] = prices[:, 0]
        bars[:, Column.HIGH] = high = prices.max(axis=1)
        bars[:, Column.LOW] = low = prices.min(axis=1)
        bars[:, Column.CLOSE] = close = prices[:, -1]
        drawn = self._drawn(symbol, day)
        listing = LISTINGS[symbol]
        steps = listing.volume / float(listing.step) * np.exp(0.45 * drawn["volume"])
        steps *= time_of_day(np.arange(MINUTES_PER_DAY, dtype=np.float64))
        steps *= 0.6 + (high - low) / low / USUAL_MINUTE_RANGE
        bars[:, Column.VOLUME] = volume = self._volumes(symbol, day, steps)
        average = prices.sum(axis=1) // TRADES_PER_MINUTE
        bars[:, Column.COST] = volume * average
        bars[:, Column.TRADES] = np.minimum(volume, 40 + 400 * np.exp(0.5 * drawn["trades"])).astype(np.int64)
        rise = np.sign(close - prices[:, 0])
        bought = np.clip(0.5 + 0.1 * rise + 0.08 * drawn["bought"], 0.05, 0.95)
        bars[:, Column.BOUGHT_VOLUME] = bought_volume = (volume * bought).astype(np.int64)
        bars[:, Column.BOUGHT_COST] = bought_volume * average
        return bars

    def _volumes(self, symbol: str, day: int, steps: NDArray[np.float64]) -> Whole:
        if symbol in self._tapes:
            return self._tapes[symbol].volumes(day)
        volumes: Whole = np.maximum(1, steps).astype(np.int64)
        if self._has_quiet_minutes:
            volumes[self._is_quiet(symbol, day)] = 0
        return volumes

    def _drawn(self, symbol: str, day: int) -> dict[str, NDArray[np.float64]]:
        first = day * MINUTES_PER_DAY
        return {
            name: deviates(self._seed, f"{symbol} {name}", first, MINUTES_PER_DAY)
            for name in ("volume", "trades", "bought")
        }

    def _compute_hours(self, symbol: str, day: int) -> Whole:
        return merge(self._minutes(symbol, day), MINUTES_PER_HOUR)

    def _day(self, symbol: str, minutes: int, day: int) -> Whole:
        """Return the day's bars; large ones come from the hours, which a thousand days of fit in memory."""
        if minutes % MINUTES_PER_HOUR == 0:
            return merge(self._hours(symbol, day), minutes // MINUTES_PER_HOUR)
        return merge(self._minutes(symbol, day), minutes)

    def _in_progress(self, symbol: str, first_minute: int, now: int) -> Whole:
        """Return one bar from the opening of `first_minute` until now."""
        current = now // MINUTE_MS
        day, minute = divmod(current, MINUTES_PER_DAY)
        first = first_minute - day * MINUTES_PER_DAY
        elapsed = now - current * MINUTE_MS
        partial = self._minutes(symbol, day)[minute].copy()
        start = minute * TRADES_PER_MINUTE
        prices = self._prices(symbol, day)[start : start + elapsed // TRADE_MS + 1]
        partial[Column.HIGH], partial[Column.LOW] = prices.max(), prices.min()
        partial[Column.CLOSE] = prices[-1]
        partial[Column.VOLUME :] = partial[Column.VOLUME :] * elapsed // MINUTE_MS
        average = prices.sum() // len(prices)
        partial[Column.COST] = partial[Column.VOLUME] * average
        partial[Column.BOUGHT_COST] = partial[Column.BOUGHT_VOLUME] * average
        bars = np.vstack([self._minutes(symbol, day)[first:minute], partial])
        return merge(bars, len(bars))


def merge(bars: Whole, size: int) -> Whole:
    """Return bars of `size` consecutive ones each; their number is a multiple of `size`.

    Bars without trades do not count, unless there is no other.
    """
    groups = bars.reshape(-1, size, len(Column))
    merged: Whole = groups.sum(axis=1)
    has_traded = groups[:, :, Column.VOLUME] > 0
    has_traded |= ~has_traded.any(axis=1, keepdims=True)
    first, last = has_traded.argmax(axis=1), size - 1 - has_traded[:, ::-1].argmax(axis=1)
    rows = np.arange(len(groups))
    merged[:, Column.OPEN] = groups[rows, first, Column.OPEN]
    merged[:, Column.HIGH] = groups[:, :, Column.HIGH].max(axis=1, where=has_traded, initial=0)
    merged[:, Column.LOW] = groups[:, :, Column.LOW].min(axis=1, where=has_traded, initial=HIGHEST)
    merged[:, Column.CLOSE] = groups[rows, last, Column.CLOSE]
    return merged


def _stand_still(prices: Whole, is_quiet: Mask) -> None:
    """Keep the last price where nobody trades; the first one counts."""
    positions = np.where(is_quiet, 0, np.arange(len(prices)))
    prices[:] = prices[np.maximum.accumulate(positions)]
