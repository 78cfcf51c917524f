"""Where a subscription stands between two candles: when it runs next, and whether its page has news."""

import hashlib
from datetime import datetime
from itertools import pairwise

from django.core.paginator import Page, Paginator

from bot_sdk.timeframes import next_close
from execution.models import NOT_FINAL, Cycle, CycleQuerySet, Order, Position
from execution.protection import is_watched
from execution.valuation import Price
from subscriptions.models import Subscription
from subscriptions.switches import Standing

CYCLES_AT_ONCE = 10  # on a subscription's own page, among all else
CYCLES_THAT_CHANGE = 20  # older ones are finished
ORDERS_SHOWN = 20  # the newest, beside all that are open


def next_run_at(timeframe: str, at: datetime) -> datetime:
    """Return when the candle that is open at `at` closes; what is due runs then."""
    return next_close(timeframe, at)


def page_of_cycles(cycles: CycleQuerySet, number: str | None) -> Page:
    """Return the nearest page of cycles, newest first; each knows which candle the one before it had."""
    page = Paginator(cycles, CYCLES_AT_ONCE).get_page(number)
    start = (page.number - 1) * CYCLES_AT_ONCE
    # the next page's first tells of the last one here
    found = list(cycles[start : start + CYCLES_AT_ONCE + 1])
    for cycle, before in pairwise(found):
        cycle.previous_opened_at = before.candle_opened_at
    page.object_list = found[:CYCLES_AT_ONCE]
    return page


def token(subscription: Subscription, price: Price | None, at: datetime, standing: Standing) -> str:
    """Return a short text that differs whenever the subscription's page would show something else.

    Three queries; select bot, version, account and position beforehand.
    """
    orders = Order.objects.filter(subscription=subscription)
    states = orders.values_list("pk", "state", "message")
    cycles = Cycle.objects.of(subscription).values_list("pk", "state", "order__state")[:CYCLES_THAT_CHANGE]
    position: Position | None = getattr(subscription, "position", None)
    facts = (
        (subscription.state, subscription.bot.state, subscription.version.state),
        (subscription.changed_at, subscription.account and subscription.account.state, standing),
        position and (position.updated_at, position.past.is_halted, is_watched(subscription, at, standing)),
        price and price.at,
        list(cycles),
        list(states[:ORDERS_SHOWN]),
        list(states.filter(state__in=NOT_FINAL)),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
