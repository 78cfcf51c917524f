"""Closed candles in the database: fetched once, then read by everyone.

What is stored never changes. Holes that the exchange itself has (nobody traded, it was down) stay holes.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Max, Min, Q

from bot_sdk.timeframes import duration, floor
from exchanges.errors import CandleNotReady
from exchanges.gateway import CandleRow, PublicGateway
from exchanges.models import Candle, Market
from exchanges.turns import in_turn

if TYPE_CHECKING:
    import pandas as pd

CATCH_UP_CANDLES = 20_000  # missed in a pause of ours, that are asked for when somebody needs candles again

# The oldest candle that the exchange has, by (market, timeframe), where it lies within a window. This process
# learned it by asking in vain for older ones and does not ask again.
_beginnings: dict[tuple[int, str], datetime] = {}


def collect(
    market: Market,
    timeframe: str,
    gateway: PublicGateway,
    opened_at: datetime,
    count: int,
    *,
    smallest: str,
) -> None:
    """Do what `crawl` does, but make new candles of the `smallest` timeframe's, which somebody needs anyway.

    So an exchange is asked once per market and moment, however many timeframes are traded. Where one of
    the small candles is missing (nobody traded, or we never asked) the exchange's own larger one is taken,
    and those after it.
    """
    with in_turn(f"crawl:{market.pk}"):
        if smallest != timeframe:
            _build(market, timeframe, smallest, gateway, opened_at)
        crawl(market, timeframe, gateway, opened_at, count)


def crawl(market: Market, timeframe: str, gateway: PublicGateway, opened_at: datetime, count: int) -> None:
    """Store the closed candles missing among the `count` that end with the one opened at `opened_at`.

    Only what lies before the oldest or after the newest stored one is asked for, so that after the first time
    it is the newest candle alone. After a pause all that was missed is asked for, unless the pause was longer
    than CATCH_UP_CANDLES: so no hole of ours lies between two candles that are nearer. Raises CandleNotReady
    when the exchange does not have the last one yet (what it has is stored), and the gateway's errors;
    crawling again is harmless.
    """
    step = duration(timeframe)
    first = opened_at - (count - 1) * step
    stored = Candle.objects.of(market, timeframe).until(opened_at)
    held = stored.filter(opened_at__gte=opened_at - CATCH_UP_CANDLES * step).aggregate(
        oldest=Min("opened_at", filter=Q(opened_at__gte=first)), newest=Max("opened_at")
    )
    oldest, newest = held["oldest"], held["newest"]
    if newest is None:
        _store(market, timeframe, _fetch(market, timeframe, gateway, first, opened_at))
    else:
        if oldest is not None and oldest > first and _beginnings.get((market.pk, timeframe)) != oldest:
            older = list(_fetch(market, timeframe, gateway, first, oldest - step))
            _store(market, timeframe, older)
            if not older:
                _beginnings[market.pk, timeframe] = oldest
        _store(market, timeframe, _fetch(market, timeframe, gateway, newest + step, opened_at))
    if not stored.filter(opened_at=opened_at).exists():
        raise CandleNotReady(
            f"{market} has no closed {timeframe} candle of {opened_at:%Y-%m-%d %H:%M} UTC yet; ask again."
        )


def pages(
    fetch: Callable[[datetime, int], Sequence[CandleRow]],
    timeframe: str,
    per_call: int,
    first: datetime,
    stop: datetime,
) -> Iterator[tuple[list[CandleRow], datetime]]:
    """Ask for the candles opened from `first` to before `stop`, `per_call` at once.

    Yields each page with the moment before which all candles have been asked for. `fetch` takes the first
    opening and how many.
    """
    step = duration(timeframe)
    while first < stop:
        limit = min((stop - first) // step, per_call)
        page = fetch(first, limit)
        first += limit * step
        if page:
            # an exchange that counts candles instead of time has already gone further where there are holes
            first = max(first, page[-1].opened_at + step)
        yield [row for row in page if row.opened_at < stop], min(first, stop)


def window(market: Market, timeframe: str, opened_at: datetime, count: int) -> "pd.DataFrame":
    """Return the newest `count` stored candles up to and including the one opened at `opened_at`.

    Columns open, high, low, close, volume (float64); index `opened_at`, UTC, ascending. Fewer rows, or none,
    when fewer are stored; holes are left out, not filled.
    """
    # pandas is for workers; web processes import this module's neighbors and stay small
    import pandas as pd  # noqa: PLC0415

    columns = ["open", "high", "low", "close", "volume"]
    newest_first = Candle.objects.of(market, timeframe).until(opened_at).order_by("-opened_at")
    rows = list(newest_first.values_list("opened_at", *columns)[:count])[::-1]
    index = pd.DatetimeIndex([row[0] for row in rows], dtype="datetime64[us, UTC]", name="opened_at")
    return pd.DataFrame([row[1:] for row in rows], index=index, columns=columns, dtype="float64")


def _build(
    market: Market, timeframe: str, smallest: str, gateway: PublicGateway, opened_at: datetime
) -> None:
    """Store the candles that follow the newest one, up to the first that the small ones do not cover."""
    step, small = duration(timeframe), duration(smallest)
    newest, newest_small = (_newest(market, each, opened_at + step) for each in (timeframe, smallest))
    if newest is None or newest_small is None or opened_at <= newest:
        return
    first, last = newest + step, opened_at + step - small
    # From the newest stored one on, so that no hole comes to be. After a long pause larger ones are fewer.
    count = (last - min(first, newest_small + small)) // small + 1
    if count > gateway.candles_per_call:
        return
    with contextlib.suppress(CandleNotReady):  # perhaps nobody traded in it; the larger one may be there
        crawl(market, smallest, gateway, last, count)
    parts = Candle.objects.of(market, smallest).filter(opened_at__range=(first, last)).order_by("opened_at")
    by_opening = itertools.groupby(parts, key=lambda candle: floor(timeframe, candle.opened_at))
    whole: list[CandleRow] = []
    for opening, group in by_opening:
        found = list(group)
        if opening != first + len(whole) * step or len(found) < step // small:
            break  # nothing later is stored before it: only what follows the newest one is asked for
        whole.append(_merged(opening, found))
    _store(market, timeframe, whole)


def _newest(market: Market, timeframe: str, before: datetime) -> datetime | None:
    candles = Candle.objects.of(market, timeframe).filter(opened_at__lt=before)
    newest: datetime | None = candles.aggregate(newest=Max("opened_at"))["newest"]
    return newest


def _merged(opened_at: datetime, parts: list[Candle]) -> CandleRow:
    return CandleRow(
        opened_at,
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum((part.volume for part in parts), Decimal()),
    )


def _fetch(
    market: Market, timeframe: str, gateway: PublicGateway, first: datetime, last: datetime
) -> Iterator[CandleRow]:
    """Ask page by page for the candles opened from `first` to `last`."""
    fetch = partial(gateway.fetch_candles, market.trading_pair, timeframe)
    for page, _ in pages(fetch, timeframe, gateway.candles_per_call, first, last + duration(timeframe)):
        yield from page


def _store(market: Market, timeframe: str, rows: Iterator[CandleRow] | list[CandleRow]) -> None:
    candles = [
        Candle(
            market=market,
            timeframe=timeframe,
            opened_at=row.opened_at,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
        )
        for row in rows
    ]
    Candle.objects.bulk_create(candles, batch_size=1000, ignore_conflicts=True)
