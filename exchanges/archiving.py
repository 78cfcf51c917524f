"""Move old candles from the database into the history, which is cheaper to keep and quicker to read.

A candle leaves the database only after it was read back from its file.
"""

from datetime import datetime

from django.db.models import Min, Window
from django.db.models.functions import Lag

from bot_sdk.timeframes import duration
from exchanges import candle_store
from exchanges.candle_store import month_after, month_of
from exchanges.candles import CATCH_UP_CANDLES
from exchanges.errors import CandleStoreError
from exchanges.gateway import CandleRow
from exchanges.models import Candle, Market

KEEP_CANDLES = 20_000  # newest ones that stay; indicators begin up to 10,000 back
FIGURES = ("open", "high", "low", "close", "volume")


def archive(market: Market, timeframe: str, now: datetime) -> int:
    """Move the whole months that lie before the newest KEEP_CANDLES durations; return how many candles.

    Of what was never asked for a file would claim that the exchange has nothing: so a first month whose
    beginning is missing stays in the database, and a month is moved only up to where a pause of ours began.
    Killed anywhere and started again, it loses and doubles nothing. Raises CandleStoreError; what was not
    moved stays.
    """
    stored = Candle.objects.of(market, timeframe)
    first = stored.aggregate(first=Min("opened_at"))["first"]
    if first is None:
        return 0
    pauses = _pauses(market, timeframe)
    moved, month, keep_from = 0, month_of(first), now - KEEP_CANDLES * duration(timeframe)
    while month_after(month) <= keep_from:
        moved += _move(market, timeframe, month, first, pauses)
        month = month_after(month)
    return moved


def _pauses(market: Market, timeframe: str) -> list[tuple[datetime, datetime]]:
    """Return the stretches, from their first to before their last opening, that nobody asked for.

    A collector that comes back asks for all that it missed, up to CATCH_UP_CANDLES: longer ones are ours.
    """
    step = duration(timeframe)
    before = Window(Lag("opened_at"), order_by="opened_at")
    rows = Candle.objects.of(market, timeframe).annotate(before=before).values_list("before", "opened_at")
    longest = CATCH_UP_CANDLES * step
    return [(at + step, after) for at, after in rows.order_by("opened_at") if at and after - at > longest]


def _move(
    market: Market,
    timeframe: str,
    month: datetime,
    first: datetime,
    pauses: list[tuple[datetime, datetime]],
) -> int:
    asked_until = candle_store.asked_until(market, timeframe, month)
    paused = [(begin, end) for begin, end in pauses if begin < month_after(month) and end > asked_until]
    end = min([month_after(month), *(begin for begin, _ in paused)])
    if first > asked_until or end <= month:
        return 0
    old = Candle.objects.of(market, timeframe).filter(opened_at__gte=month, opened_at__lt=end)
    known = list(old.order_by("opened_at").values_list("pk", "opened_at", *FIGURES))
    rows = [CandleRow(*values) for _, *values in known]
    # also those before what was asked for: a download may have begun in the middle of the month
    candle_store.write_month(
        market, timeframe, month, rows, asked_from=min(asked_until, end), asked_until=end
    )
    _require_stored(market, timeframe, rows)
    # by their keys: what came meanwhile was not written
    Candle.objects.filter(pk__in=[pk for pk, *_ in known]).delete()
    return len(rows)


def _require_stored(market: Market, timeframe: str, rows: list[CandleRow]) -> None:
    if not rows:
        return
    stored = set(candle_store.read_rows(market, timeframe, rows[0].opened_at, rows[-1].opened_at))
    differing = [row.opened_at for row in rows if row not in stored]
    if differing:
        raise CandleStoreError(
            f"{len(differing)} candles of {market} {timeframe}, the first of {differing[0]:%Y-%m-%d %H:%M}"
            " UTC, are not in the history as they are in the database, and stay there. Compare both with the"
            " exchange, and correct the one that is wrong."
        )
