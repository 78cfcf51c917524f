"""Bring a market's candles from its exchange into the candle store, month by month.

What has been asked for once is not asked for again; whoever is stopped goes on from there.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from bot_sdk.timeframes import duration, floor
from exchanges import candle_store
from exchanges.candle_store import Gap, month_after, month_of
from exchanges.candles import pages
from exchanges.errors import ExchangeUnavailable, RateLimited
from exchanges.gateway import CandleRow, PublicGateway
from exchanges.models import Exchange, Market

# All candles that an exchange gives, the one in progress among them, however old ones it is asked for.
# https://docs.kraken.com/api/docs/rest-api/get-ohlc-data
NEWEST_ONLY: dict[str, int] = {Exchange.KRAKEN: 720}
SETTLING = timedelta(minutes=5)  # a closed candle that an exchange shows late must not become a hole
CALLS_PER_WRITE = 10  # a kill costs no more than these
PAUSES_SECONDS = (2.0, 10.0, 30.0)  # before asking again an exchange that does not answer

type Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The candles to have: opened from `begin` to before `end`. `is_cut`: the exchange has no older ones."""

    market: Market
    timeframe: str
    begin: datetime
    end: datetime
    is_cut: bool

    @property
    def count(self) -> int:
        return max(0, (self.end - self.begin) // duration(self.timeframe))


@dataclass(frozen=True, slots=True)
class Step:
    """Progress: everything opened before `asked_until` has been asked for, and `added` candles are new."""

    asked_until: datetime
    added: int


@dataclass(frozen=True, slots=True)
class Report:
    """What is stored of a plan: `count` candles from `first` to `last`, and the gaps between these two.

    `first` and `last` are None when there is no candle.
    """

    count: int
    first: datetime | None
    last: datetime | None
    gaps: list[Gap]


def plan(
    market: Market,
    timeframe: str,
    gateway: PublicGateway,
    *,
    since: datetime,
    until: datetime | None,
    wait: Wait = time.sleep,
) -> Plan:
    """Return what to download so that the months from that of `since` on are there, up to before `until`.

    It ends five minutes before the exchange's present, also with None. Raises the gateway's errors.
    """
    now = _patiently(wait, gateway.fetch_time)
    end = floor(timeframe, min(until or now, now - SETTLING))
    begin = month_of(since)
    newest = NEWEST_ONLY.get(market.exchange)
    if newest is None:
        return Plan(market, timeframe, begin, end, is_cut=False)
    oldest = floor(timeframe, now) - (newest - 1) * duration(timeframe)
    return Plan(market, timeframe, max(begin, oldest), end, is_cut=begin < oldest)


def download(plan: Plan, gateway: PublicGateway, wait: Wait = time.sleep) -> Iterator[Step]:
    """Store what has not been asked for yet, and yield after each write.

    Waits as long as the rate budget says, and a little when the exchange does not answer; `wait` is called
    with the seconds. Raises the gateway's errors and CandleStoreError; what was yielded is stored.
    """
    market, timeframe = plan.market, plan.timeframe
    month = month_of(plan.begin)
    while month < plan.end:
        stop = min(month_after(month), plan.end)
        known = candle_store.asked_until(market, timeframe, month)
        while known < stop:
            rows, reached = _ask(plan, gateway, max(known, plan.begin), stop, wait)
            added = candle_store.write_month(
                market, timeframe, month, rows, asked_from=known, asked_until=reached
            )
            yield Step(reached, added)
            known = reached
        month = month_after(month)


def report(plan: Plan) -> Report:
    """Return what the store has of the plan. Raises CandleStoreError."""
    step = duration(plan.timeframe)
    first, last = plan.begin, plan.end - step
    gaps = candle_store.gaps(plan.market, plan.timeframe, first, last)
    count = plan.count - sum(gap.count for gap in gaps)
    if not count:
        return Report(0, None, None, [])
    if gaps and gaps[0].first == first:  # the pair was not listed yet
        first = gaps.pop(0).last + step
    if gaps and gaps[-1].last == last:
        last = gaps.pop().first - step
    return Report(count, first, last, gaps)


def _ask(
    plan: Plan, gateway: PublicGateway, first: datetime, stop: datetime, wait: Wait
) -> tuple[list[CandleRow], datetime]:
    """Return the candles opened from `first` on, and before when these are all; `stop` at the latest."""

    def fetch(since: datetime, limit: int) -> Sequence[CandleRow]:
        return _patiently(wait, gateway.fetch_candles, plan.market.trading_pair, plan.timeframe, since, limit)

    every = pages(fetch, plan.timeframe, gateway.candles_per_call, first, stop)
    asked = list(islice(every, CALLS_PER_WRITE))
    return [row for page, _ in asked for row in page], asked[-1][1]


def _patiently[**P, T](wait: Wait, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `ask` answers, although the exchange makes us wait or fails to answer now and then."""
    pauses = iter(PAUSES_SECONDS)
    while True:
        try:
            return ask(*args, **kwargs)
        except RateLimited as limited:
            wait(limited.seconds)
        except ExchangeUnavailable:
            pause = next(pauses, None)
            if pause is None:
                raise
            wait(pause)
