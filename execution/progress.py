"""Where a subscription stands between two candles: when it runs next, and whether its page has news."""

import hashlib
from datetime import datetime

from django.utils import timezone

from bot_sdk.timeframes import next_close
from execution.models import NOT_FINAL, Cycle, Order, Position
from execution.protection import is_watched
from execution.valuation import Price
from subscriptions.models import Subscription

CYCLES_THAT_CHANGE = 20  # older ones are finished
ORDERS_SHOWN = 20  # the newest, beside all that are open


def next_run_at(timeframe: str, at: datetime) -> datetime:
    """Return when the candle that is open at `at` closes; what is due runs then."""
    return next_close(timeframe, at)


def token(subscription: Subscription, price: Price | None) -> str:
    """Return a short text that differs whenever the subscription's page would show something else.

    Three queries; select bot, version and position beforehand.
    """
    orders = Order.objects.filter(subscription=subscription)
    states = orders.values_list("pk", "state", "message")
    cycles = Cycle.objects.of(subscription).values_list("pk", "state", "order__state")[:CYCLES_THAT_CHANGE]
    position: Position | None = getattr(subscription, "position", None)
    facts = (
        (subscription.state, subscription.bot.state, subscription.version.state),
        position and (position.updated_at, position.past.is_halted, is_watched(position, timezone.now())),
        price and price.at,
        list(cycles),
        list(states[:ORDERS_SHOWN]),
        list(states.filter(state__in=NOT_FINAL)),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
