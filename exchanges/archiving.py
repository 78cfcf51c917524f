"""Move old candles from the database into the history, which is cheaper to keep and quicker to read.

A candle leaves the database only after it was read back from its file.
"""

from datetime import datetime

from django.db.models import Min

from bot_sdk.timeframes import duration
from exchanges import candle_store
from exchanges.candle_store import month_after, month_of
from exchanges.errors import CandleStoreError
from exchanges.gateway import CandleRow
from exchanges.models import Candle, Market

KEEP_CANDLES = 20_000  # newest ones that stay; indicators begin up to 10,000 back
FIGURES = ("open", "high", "low", "close", "volume")


def archive(market: Market, timeframe: str, now: datetime) -> int:
    """Move the whole months that lie before the newest KEEP_CANDLES durations; return how many candles.

    A first month of which the beginning was never asked for stays in the database, since its file would
    claim a hole there. Killed anywhere and started again, it loses and doubles nothing. Raises
    CandleStoreError; what was not moved stays.
    """
    stored = Candle.objects.of(market, timeframe)
    first = stored.aggregate(first=Min("opened_at"))["first"]
    if first is None:
        return 0
    moved, month, keep_from = 0, month_of(first), now - KEEP_CANDLES * duration(timeframe)
    while month_after(month) <= keep_from:
        moved += _move(market, timeframe, month, first)
        month = month_after(month)
    return moved


def _move(market: Market, timeframe: str, month: datetime, first: datetime) -> int:
    end = month_after(month)
    asked_until = candle_store.asked_until(market, timeframe, month)
    if first > asked_until:
        return 0
    old = Candle.objects.of(market, timeframe).filter(opened_at__gte=month, opened_at__lt=end)
    rows = [CandleRow(*values) for values in old.order_by("opened_at").values_list("opened_at", *FIGURES)]
    new = [row for row in rows if row.opened_at >= asked_until]
    if asked_until < end:
        candle_store.write_month(market, timeframe, month, new, asked_from=asked_until, asked_until=end)
    _require_stored(market, timeframe, rows)
    old.delete()
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
