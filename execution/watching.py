"""Between two candles: stops at the price of the moment, and limit orders on paper.

A market is looked at once for all its subscriptions. What a stop sells is an order of the minute in which it
was reached, so that it is placed once, however many look.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Q

from bot_sdk.action import BUY, SELL, Action
from bot_sdk.configs import MARKET
from bot_sdk.risk import Signal, decide, protective_exit
from exchanges.errors import ExchangeError
from exchanges.gateway import OrderState, Ticker, TradingGateway
from exchanges.gateways import trading_gateway
from exchanges.models import Market
from exchanges.prices import GOOD_FOR_SECONDS
from exchanges.vault import VaultError
from execution import guards
from execution.models import GUARD, TRADER, Order, OrderQuerySet, Position
from execution.orders import CLOSE, Intent, book, place_order, position_of
from execution.protection import has_stop, remember, seen
from subscriptions import lifecycle
from subscriptions.models import COULD_NOT_SELL, Subscription, SubscriptionQuerySet
from subscriptions.switches import halted_among

logger = logging.getLogger(__name__)

STOP, TIMEOUT = "stop", "timeout"  # legs of orders
STOPPED_AND_SOLD = "Stopped, and sold what was held"
PRICE_IS_GOOD_FOR = timedelta(seconds=15 - GOOD_FOR_SECONDS)  # a stop sells on none older than 15 s


def markets_to_watch() -> list[int]:
    """Return the markets on which a position has a stop or is to be sold, or a limit order on paper waits."""
    protected = _protected().order_by().values_list("market", flat=True).distinct()
    waiting = _waiting_on_paper().order_by().values_list("subscription__market", flat=True).distinct()
    closing = Subscription.objects.closing().order_by().values_list("market", flat=True).distinct()
    return sorted({*protected, *waiting, *closing})


def watch(market: Market, ticker: Ticker, now: datetime) -> None:
    """Look after all positions and paper orders on the market at these prices, and sell what is to be closed.

    One subscription's trouble stays its own. Watched is what needs no sale, or was sold: a stop that was
    reached and did not sell protects nobody.
    """
    for order in (
        _waiting_on_paper()
        .filter(subscription__market=market)
        .select_related("subscription__market", "subscription__account")
    ):
        with _trouble_of(order.subscription), trading_gateway(None, market, ticker) as paper:
            _tend_on_paper(order, paper, ticker, now)
    closing = list(Subscription.objects.closing().filter(market=market).with_names())
    subscriptions = list(_protected().filter(market=market).with_names().select_related("position"))
    halted = halted_among({subscription.trader_id for subscription in (*closing, *subscriptions)})
    for subscription in closing:
        if subscription.trader_id not in halted:  # else its stop at the exchange would make way for no sale
            with _trouble_of(subscription):
                _close(subscription, ticker, now)
    safe = []
    for subscription in subscriptions:
        if subscription.trader_id in halted:
            continue
        with _trouble_of(subscription):
            if _look(subscription, ticker, now):
                safe.append(subscription)
    remember(subscriptions, at=now, bid=ticker.bid)
    Position.objects.filter(subscription__in=safe).update(watched_at=now)


def leave(order: Order, gateway: TradingGateway, ticker: Ticker, now: datetime) -> Order:
    """End an open order that is over; where its trader wants that, order what is left at the market.

    That is decided anew, by the rules and prices of now, and is never more than what was left.
    """
    ended = book(order=order, report=gateway.cancel_order(order.exchange_order_id))
    subscription = ended.subscription
    is_wanted = subscription.execution.limit_timeout_action == MARKET and not _has_stopped(subscription)
    if ended.state != Order.State.CANCELED or not is_wanted:
        return ended
    position = position_of(subscription)
    signal = decide(
        action=Action(ended.side, float(ticker.last), ended.reason),
        holding=position.holding,
        bid=ticker.bid,
        ask=ticker.ask,
        rules=subscription.market.rules,
        execution=subscription.execution.at_once(),
        risk=subscription.risk,
        allocated_capital=subscription.allocated_capital,
        state=seen(position, subscription.risk, at=now, bid=ticker.bid),
        at=now,
    )
    rest = ended.amount - sum(fill.amount for fill in ended.fills.all())
    price = ticker.ask if signal.action == BUY else ticker.bid
    amount = subscription.market.rules.orderable(min(signal.amount, rest), price)
    if signal.action == ended.side and amount:
        wanted = replace(signal, amount=amount)
        place_order(_intent(subscription, wanted, TIMEOUT, ended.moment_at, ticker=ticker, now=now), gateway)
    return ended


def is_over(order: Order, now: datetime) -> bool:
    """Whether an open order has rested for its time, or its subscription was stopped."""
    has_expired = order.expires_at is not None and now >= order.expires_at
    return has_expired or _has_stopped(order.subscription)


def make_way(subscription: Subscription, gateway: TradingGateway) -> None:
    """Cancel the open order of a subscription that has to sell now."""
    for order in Order.objects.filter(subscription=subscription, state=Order.State.OPEN):
        book(order=order, report=gateway.cancel_order(order.exchange_order_id))


def _protected() -> SubscriptionQuerySet:
    """Positions with a stop, and those without one whose earlier stop rests at the exchange still."""
    held, has_one = Subscription.objects.active().filter(position__base_amount__gt=0), has_stop()
    resting = Order.objects.filter(leg=GUARD, state=Order.State.OPEN).values("subscription")
    return held.filter(has_one | Q(pk__in=resting)) if has_one else held  # the empty condition is all of them


def _waiting_on_paper() -> OrderQuerySet:
    return Order.objects.on_paper().filter(state=Order.State.OPEN)


def _has_stopped(subscription: Subscription) -> bool:
    return subscription.state == Subscription.State.STOPPED


@contextmanager
def _trouble_of(subscription: Subscription) -> Iterator[None]:
    try:
        yield
    except (ExchangeError, VaultError, DatabaseError):
        logger.exception("%s could not be looked after", subscription)


def _look(subscription: Subscription, ticker: Ticker, now: datetime) -> bool:
    """Sell what a stop asks for; return whether none asks any more."""
    if _exit_of(subscription.position, subscription, ticker, now) is None:
        _guard(subscription, ticker, now)
        return True
    with trading_gateway(subscription.account, subscription.market, ticker) as gateway:
        make_way(subscription, gateway)
        signal = _exit_of(position_of(subscription), subscription, ticker, now)  # of what is held now
        if signal is not None:
            minute = now.replace(second=0, microsecond=0)
            place_order(_intent(subscription, signal, STOP, minute, ticker=ticker, now=now), gateway)
    return _exit_of(position_of(subscription), subscription, ticker, now) is None


def _close(subscription: Subscription, ticker: Ticker, now: datetime) -> None:
    """Sell what a trader wants sold, by one order of the minute at the market; stop when it is done.

    What became of an order that is unknown is waited for. A refusal is told by pausing.
    """
    hindering = Order.objects.in_the_way(subscription, SELL)
    if hindering.exclude(state=Order.State.OPEN).exists():
        return
    with trading_gateway(subscription.account, subscription.market, ticker) as gateway:
        make_way(subscription, gateway)
        held = position_of(subscription).holding.base_amount
        amount = subscription.market.rules.orderable(held, ticker.bid)
        if amount:
            minute = now.replace(second=0, microsecond=0)
            signal = Signal(SELL, amount, STOPPED_AND_SOLD, TRADER)
            order = place_order(_intent(subscription, signal, CLOSE, minute, ticker=ticker, now=now), gateway)
            is_news = order.sent_at is None or order.sent_at >= subscription.changed_at
            if order.state == Order.State.REJECTED and is_news:  # else the next minute tries again
                refused = f"{COULD_NOT_SELL} {order.message}"
                lifecycle.pause_and_tell(subscriptions=[subscription], reason=refused)
            if order.state != Order.State.FILLED:
                return
    lifecycle.stop(subscription=subscription)


def _guard(subscription: Subscription, ticker: Ticker, now: datetime) -> None:
    """Have a stop rest at the exchange for what is held, if that has changed since the last look."""
    if subscription.is_on_paper or guards.is_kept(subscription, now):
        return
    with trading_gateway(subscription.account, subscription.market, ticker) as gateway:
        guards.keep_guard(subscription, gateway, now)


def _tend_on_paper(order: Order, paper: TradingGateway, ticker: Ticker, now: datetime) -> None:
    """Fill the order if its price has come; end it if it is over."""
    market = order.subscription.market
    assert order.limit_price is not None
    report = paper.create_limit_order(
        market.trading_pair, order.side, order.amount, order.limit_price, str(order.client_order_id)
    )
    if report.state == OrderState.FILLED:
        book(order=order, report=report)
    elif is_over(order, now):
        leave(order, paper, ticker, now)


def _exit_of(position: Position, subscription: Subscription, ticker: Ticker, now: datetime) -> Signal | None:
    risk = subscription.risk
    return protective_exit(
        holding=position.holding,
        bid=ticker.bid,
        rules=subscription.market.rules,
        risk=risk,
        state=seen(position, risk, at=now, bid=ticker.bid),
    )


def _intent(
    subscription: Subscription,
    signal: Signal,
    leg: str,
    moment_at: datetime,
    *,
    ticker: Ticker,
    now: datetime,
) -> Intent:
    return Intent(
        subscription=subscription,
        signal=signal,
        moment_at=moment_at,
        leg=leg,
        sized_for=position_of(subscription).holding,
        fresh_until=now + PRICE_IS_GOOD_FOR,
        bid=ticker.bid,
    )
