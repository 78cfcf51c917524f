"""Where a subscription stands between two candles: when it runs next, and whether its page has news."""

import hashlib
from datetime import datetime

from bot_sdk.timeframes import next_close
from execution.models import Cycle, Position
from execution.valuation import Price
from subscriptions.models import Subscription

CYCLES_THAT_CHANGE = 20  # older ones are finished


def next_run_at(timeframe: str, at: datetime) -> datetime:
    """Return when the candle that is open at `at` closes; what is due runs then."""
    return next_close(timeframe, at)


def token(subscription: Subscription, price: Price | None) -> str:
    """Return a short text that differs whenever the subscription's page would show something else.

    One query; select bot, version and position beforehand.
    """
    cycles = Cycle.objects.of(subscription).values_list("pk", "state", "order__state")[:CYCLES_THAT_CHANGE]
    position: Position | None = getattr(subscription, "position", None)
    facts = (
        (subscription.state, subscription.bot.state, subscription.version.state),
        position and (position.updated_at, position.past.is_halted),
        price and price.at,
        list(cycles),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
