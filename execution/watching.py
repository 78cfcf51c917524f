"""Between two candles: stops at the price of the moment, and limit orders on paper.

A market is looked at once for all its subscriptions. What a stop sells is an order of the minute in which it
was reached, so that it is placed once, however many look.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Q

from bot_sdk.action import BUY, Action
from bot_sdk.configs import MARKET
from bot_sdk.risk import Signal, decide, protective_exit
from exchanges.errors import ExchangeError
from exchanges.gateway import OrderState, Ticker, TradingGateway
from exchanges.gateways import trading_gateway
from exchanges.models import Market
from exchanges.prices import GOOD_FOR_SECONDS
from exchanges.vault import VaultError
from execution import guards
from execution.models import Order, Position
from execution.orders import Intent, book, place_order, position_of
from execution.protection import has_stop, remember, seen
from subscriptions.models import Subscription, SubscriptionQuerySet
from subscriptions.switches import halted_among

logger = logging.getLogger(__name__)

STOP, TIMEOUT = "stop", "timeout"  # legs of orders
PRICE_IS_GOOD_FOR = timedelta(seconds=15 - GOOD_FOR_SECONDS)  # a stop sells on none older than 15 s


def markets_to_watch() -> list[int]:
    """Return the markets on which a position has a stop, or a limit order on paper waits."""
    markets = _watched(Subscription.objects.active()).order_by("market")
    return list(markets.values_list("market", flat=True).distinct())


def watch(market: Market, ticker: Ticker, now: datetime) -> None:
    """Look after all positions and paper orders on the market at these prices.

    One subscription's trouble stays its own.
    """
    active = Subscription.objects.active().filter(market=market)
    subscriptions = list(_watched(active).with_names().select_related("position"))
    waiting = Order.objects.on_paper().filter(state=Order.State.OPEN, subscription__in=subscriptions)
    resting = {order.subscription_id: order for order in waiting}
    halted = halted_among({subscription.trader_id for subscription in subscriptions})
    for subscription in subscriptions:
        if subscription.trader_id in halted:
            continue
        try:
            _look(subscription, resting.get(subscription.pk), ticker, now)
        except (ExchangeError, VaultError, DatabaseError):
            logger.exception("%s could not be looked after", subscription)
    remember(subscriptions, at=now, bid=ticker.bid)
    watched = Position.objects.filter(subscription__in=subscriptions)
    watched.exclude(subscription__trader__in=halted).update(watched_at=now)


def leave(order: Order, gateway: TradingGateway, ticker: Ticker, now: datetime) -> Order:
    """End an open order whose time is over; where its trader wants that, order what is left at the market.

    That is decided anew, by the rules and prices of now, and is never more than what was left.
    """
    ended = book(order=order, report=gateway.cancel_order(order.exchange_order_id))
    subscription = ended.subscription
    if ended.state != Order.State.CANCELED or subscription.execution.limit_timeout_action != MARKET:
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


def make_way(subscription: Subscription, gateway: TradingGateway) -> None:
    """Cancel the open order of a subscription that has to sell now."""
    for order in Order.objects.filter(subscription=subscription, state=Order.State.OPEN):
        book(order=order, report=gateway.cancel_order(order.exchange_order_id))


def _watched(subscriptions: SubscriptionQuerySet) -> SubscriptionQuerySet:
    is_protected = Q(position__base_amount__gt=0) & has_stop()
    waits_on_paper = Q(pk__in=Order.objects.on_paper().filter(state=Order.State.OPEN).values("subscription"))
    return subscriptions.filter(is_protected | waits_on_paper)


def _look(subscription: Subscription, resting: Order | None, ticker: Ticker, now: datetime) -> None:
    position: Position | None = getattr(subscription, "position", None)
    if resting is not None:
        with trading_gateway(None, subscription.market, ticker) as paper:
            _tend_on_paper(resting, paper, ticker, now)
        position = position_of(subscription)
    if position is None:
        return
    if _exit_of(position, subscription, ticker, now) is None:
        _guard(subscription, ticker, now)
        return
    with trading_gateway(subscription.account, subscription.market, ticker) as gateway:
        make_way(subscription, gateway)
        signal = _exit_of(position_of(subscription), subscription, ticker, now)  # of what is held now
        if signal is not None:
            minute = now.replace(second=0, microsecond=0)
            place_order(_intent(subscription, signal, STOP, minute, ticker=ticker, now=now), gateway)


def _guard(subscription: Subscription, ticker: Ticker, now: datetime) -> None:
    """Have a stop rest at the exchange for what is held, if that has changed since the last look."""
    if subscription.is_on_paper or guards.is_kept(subscription, now):
        return
    with trading_gateway(subscription.account, subscription.market, ticker) as gateway:
        guards.keep_guard(subscription, gateway, now)


def _tend_on_paper(order: Order, paper: TradingGateway, ticker: Ticker, now: datetime) -> None:
    """Fill the order if its price has come; end it if its time is over."""
    market = order.subscription.market
    assert order.limit_price is not None
    report = paper.create_limit_order(
        market.trading_pair, order.side, order.amount, order.limit_price, str(order.client_order_id)
    )
    if report.state == OrderState.FILLED:
        book(order=order, report=report)
    elif order.expires_at is not None and now >= order.expires_at:
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
