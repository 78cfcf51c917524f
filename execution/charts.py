"""What the chart of a subscription draws. Numbers become floats here: they are for pixels, not for money."""

from datetime import datetime
from itertools import pairwise
from typing import Any

from bot_sdk.timeframes import duration, last_closed
from exchanges.models import Candle
from execution.models import Cycle, Fill
from subscriptions.models import Subscription

CANDLES_SHOWN = 200


def chart_data(subscription: Subscription) -> dict[str, Any]:
    """Return the newest closed candles with what the subscription did on them, each list oldest first.

    `candles` holds `[time, open, high, low, close, volume]`, `markers` one `[time, side, price, amount]` per
    fill, `equity` `[time, quote]` per cycle, `capital` the same for the first cycles with a capital that had
    been changed. Times are Unix seconds of the opening of the newest candle that had closed then, so that all
    share one axis. `price_tick` is the smallest step of a price.
    """
    market = subscription.market
    columns = ("opened_at", "open", "high", "low", "close", "volume")
    newest = Candle.objects.of(market, subscription.timeframe).order_by("-opened_at")
    candles = list(newest.values_list(*columns)[:CANDLES_SHOWN])[::-1]
    cycles, fills = Cycle.objects.none(), Fill.objects.none()
    if candles:
        first, last = candles[0][0], candles[-1][0]
        cycles = Cycle.objects.of(subscription).filter(candle_opened_at__range=(first, last))
        step = duration(subscription.timeframe)
        placed = {"order__moment_at__gte": first + step, "order__moment_at__lt": last + 2 * step}
        fills = Fill.objects.filter(order__subscription=subscription, **placed)
    placed_first = fills.order_by("order__moment_at", "pk")
    marks = placed_first.values_list("order__moment_at", "order__side", "price", "amount")
    valued = cycles.filter(equity__isnull=False).order_by("candle_opened_at")
    equity = list(valued.values_list("candle_opened_at", "equity", "capital"))
    return {
        "candles": [[_seconds(at), *map(float, values)] for at, *values in candles],
        "markers": [
            [_seconds(last_closed(subscription.timeframe, at)), side, float(price), float(amount)]
            for at, side, price, amount in marks
        ],
        "equity": [[_seconds(at), float(value)] for at, value, _ in equity if value is not None],
        "capital": [
            [_seconds(at), float(capital)]
            for (*_, before), (at, _, capital) in pairwise(equity)
            if capital is not None and capital != before
        ],
        "price_tick": float(market.price_tick),
    }


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
