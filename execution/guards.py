"""Stops that rest at the exchange, so that a position is protected while we are not there.

An exchange account's position with a stop loss gets one stop order for all of it: at the stop it becomes a
limit order somewhat below, since not every exchange has stops at the market. Our own watch goes on beside it;
whoever sells cancels the stop first. Where none can be placed the watch alone protects, as the page says.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max

from bot_sdk.action import SELL
from bot_sdk.ledger import Holding
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import exact
from bot_sdk.risk import STOP_LOSS, Signal
from exchanges.gateway import TradingGateway
from execution.models import GUARD, Order
from execution.orders import Intent, book, place_order, position_of
from subscriptions.models import Subscription

WORST_PERCENT = Decimal(2)  # below its stop price that a stop order still sells at
TRY_AGAIN_AFTER = timedelta(minutes=10)
FRESH_FOR = timedelta(seconds=15)
SECOND = timedelta(seconds=1)


def guard_of(subscription: Subscription) -> Order | None:
    """Return the stop order that rests at the exchange."""
    return Order.objects.filter(subscription=subscription, leg=GUARD, state=Order.State.OPEN).first()


def is_kept(subscription: Subscription, now: datetime) -> bool:
    """Whether nothing has to be done about the stop at the exchange."""
    resting, wanted = guard_of(subscription), _wanted(subscription, now)
    if resting is not None:
        return _is_as(resting, wanted)
    is_busy = Order.objects.in_the_way(subscription, SELL).exists()
    return wanted is None or is_busy or _was_refused_lately(subscription, now)


def keep_guard(subscription: Subscription, gateway: TradingGateway, now: datetime) -> Order | None:
    """Have one stop order rest for all that is held; one for another amount or price is replaced.

    Returns the order, or None where there is to be none. Raises ExchangeError.
    """
    resting, wanted = guard_of(subscription), _wanted(subscription, now)
    if resting is not None:
        if _is_as(resting, wanted):
            return resting
        book(order=resting, report=gateway.cancel_order(resting.exchange_order_id))
        wanted = _wanted(subscription, now)  # it may have sold before it was canceled
    if wanted is None:
        return None
    return place_order(replace(wanted, moment_at=_next_moment(subscription, now)), gateway)


def stop_prices(holding: Holding, percent: Decimal, rules: MarketRules) -> tuple[Decimal, Decimal] | None:
    """Return the price at which a stop of `percent` acts and the lowest it sells at; None below one tick."""
    entry = holding.average_entry_price
    if entry is None:
        return None
    with exact():
        stop = entry * (100 - percent) / 100 // rules.price_tick * rules.price_tick
        limit = stop * (100 - WORST_PERCENT) / 100 // rules.price_tick * rules.price_tick
    return (stop, limit) if limit > 0 else None


def _wanted(subscription: Subscription, now: datetime) -> Intent | None:
    percent, rules = subscription.risk.stop_loss_percent, subscription.market.rules
    holding = position_of(subscription).holding
    prices = percent and stop_prices(holding, percent, rules)
    if subscription.is_on_paper or not prices:
        return None
    stop, limit = prices
    amount = rules.orderable(holding.base_amount, limit)
    if not amount:
        return None
    return Intent(
        subscription=subscription,
        signal=Signal(SELL, amount, "Stop loss, held at the exchange", STOP_LOSS, limit_price=limit),
        moment_at=now,
        leg=GUARD,
        sized_for=holding,
        fresh_until=now + FRESH_FOR,
        stop_price=stop,
    )


def _next_moment(subscription: Subscription, now: datetime) -> datetime:
    """Return a whole second of which there is no stop yet, so that its id can be derived again."""
    guards = Order.objects.filter(subscription=subscription, leg=GUARD)
    newest = guards.aggregate(newest=Max("moment_at"))["newest"]
    return max(now, newest + SECOND if newest else now).replace(microsecond=0)


def _is_as(resting: Order, wanted: Intent | None) -> bool:
    if wanted is None:
        return False
    return (resting.amount, resting.stop_price) == (wanted.signal.amount, wanted.stop_price)


def _was_refused_lately(subscription: Subscription, now: datetime) -> bool:
    refused = Order.objects.filter(subscription=subscription, leg=GUARD, state=Order.State.REJECTED)
    return refused.filter(created_at__gt=now - TRY_AGAIN_AFTER).exists()
