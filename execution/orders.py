"""From a signal to money: the order row first, then one send, then fills and the position.

An order is sent at most once. Its row is committed as SENDING before the send; whatever then happens
without a definite answer leaves it UNKNOWN, and nothing sends it again.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from bot_sdk import ledger
from bot_sdk.ledger import Holding
from bot_sdk.risk import Signal
from exchanges.errors import ExchangeUnavailable, OrderRejected, OutcomeUnknown
from exchanges.gateway import Fill as FillReport
from exchanges.gateway import OrderReport, TradingGateway
from execution.models import Cycle, Fill, Order, Position
from subscriptions.models import Subscription

CLIENT_ORDER_NAMESPACE = uuid.UUID("6d0c7f0a-5a5e-4c39-9f61-0f4f0c1d8a55")


def client_order_id(subscription_id: int, candle_closed_at: datetime, leg: str = "signal") -> uuid.UUID:
    """Return the id of the one order that this subscription may place for this candle.

    It derives from its arguments alone, so it can be found again after all local state is lost.
    """
    return uuid.uuid5(CLIENT_ORDER_NAMESPACE, f"{subscription_id}:{candle_closed_at.isoformat()}:{leg}")


def position_of(subscription: Subscription) -> Position:
    """Return the subscription's position; the first call opens its paper account."""
    position, _ = Position.objects.get_or_create(
        subscription=subscription, defaults={"quote_balance": subscription.allocated_capital}
    )
    return position


def open_positions(subscriptions: Sequence[Subscription]) -> None:
    """Open the paper accounts of those that have none, all at once."""
    known = Position.objects.filter(subscription__in=subscriptions).values_list("subscription_id", flat=True)
    opened = set(known)
    Position.objects.bulk_create(
        [
            Position(subscription=subscription, quote_balance=subscription.allocated_capital)
            for subscription in subscriptions
            if subscription.pk not in opened
        ],
        ignore_conflicts=True,
    )


def place_order(*, cycle: Cycle, signal: Signal, gateway: TradingGateway) -> Order:
    """Place the cycle's order and book what it filled.

    Returns the order as FILLED, REJECTED (the exchange refused it), NOT_SENT (the subscription, its bot or
    its trader was stopped meanwhile, or the cycle is no longer this worker's) or UNKNOWN (no definite
    answer). Placing twice places once.
    """
    order, is_new = Order.objects.get_or_create(
        client_order_id=client_order_id(cycle.subscription_id, cycle.candle_closed_at),
        defaults={
            "subscription": cycle.subscription,
            "cycle": cycle,
            "side": signal.action,
            "amount": signal.amount,
        },
    )
    if not is_new or not _claim_for_sending(order, cycle):
        return order
    try:
        report = gateway.create_market_order(
            cycle.subscription.market.trading_pair, order.side, order.amount, str(order.client_order_id)
        )
    except OrderRejected as error:
        return _finish(order, Order.State.REJECTED, str(error))
    except (OutcomeUnknown, ExchangeUnavailable) as error:
        return _finish(order, Order.State.UNKNOWN, str(error))
    return book(order=order, report=report)


def book(*, order: Order, report: OrderReport) -> Order:
    """Book the report's fills, each once by its trade id, and move the position with them.

    An order that has ended already is left as it is.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update(of=["self"]).select_related("subscription").get(pk=order.pk)
        if order.state not in (Order.State.SENDING, Order.State.UNKNOWN):
            return order
        position = Position.objects.select_for_update().get(pk=position_of(order.subscription).pk)
        holding = position.holding
        for fill in report.fills:
            if _record(order, fill):
                holding = ledger.apply_fill(holding, order.side, fill.amount, fill.price, fill.fee)
        _store(position, holding)
        order.exchange_order_id = report.exchange_order_id
        order.state = Order.State(report.state)
        order.save(update_fields=["exchange_order_id", "state"])
    return order


def settle_lost_orders() -> int:
    """Close the paper orders that an ended cycle left unfinished; return how many.

    The paper exchange keeps its books in this database, and an order's fills and its end state commit
    together: an order that is still NEW or SENDING has no fills, and `book` leaves an ended order alone.
    """
    lost = Order.objects.filter(
        state__in=[Order.State.NEW, Order.State.SENDING],
        cycle__state__in=[Cycle.State.INTERRUPTED, Cycle.State.DONE],
        subscription__account=Subscription.Account.PAPER,
    )
    return lost.update(
        state=Order.State.NOT_SENT, message="The worker stopped before the order was executed."
    )


def _claim_for_sending(order: Order, cycle: Cycle) -> bool:
    """Move NEW to SENDING under the subscription's lock, which pausing takes too.

    All that may have stopped the order since its cycle began is asked again here.
    """
    with transaction.atomic():
        running = Subscription.objects.active().select_for_update(of=["self"])
        if running.filter(pk=order.subscription_id).first() is None:
            _finish(order, Order.State.NOT_SENT, "The subscription was stopped before the order was sent.")
            return False
        if not Cycle.objects.claimed_by(cycle).filter(lease_until__gt=timezone.now()).exists():
            _finish(order, Order.State.NOT_SENT, "The cycle took too long, so the order was not sent.")
            return False
        new = Order.objects.filter(pk=order.pk, state=Order.State.NEW)
        return new.update(state=Order.State.SENDING, sent_at=timezone.now()) == 1


def _finish(order: Order, state: Order.State, message: str) -> Order:
    order.state = state
    order.message = message[:300]
    order.save(update_fields=["state", "message"])
    return order


def _record(order: Order, fill: FillReport) -> bool:
    _, is_new = Fill.objects.get_or_create(
        order=order,
        trade_id=fill.trade_id,
        defaults={
            "price": fill.price,
            "amount": fill.amount,
            "cost": fill.cost,
            "fee": fill.fee,
            "fee_currency": fill.fee_currency,
            "filled_at": fill.filled_at,
        },
    )
    return is_new


def _store(position: Position, holding: Holding) -> None:
    position.quote_balance = holding.quote_balance
    position.base_amount = holding.base_amount
    position.cost_basis = holding.cost_basis
    position.realized_pnl = holding.realized_pnl
    position.fees_paid = holding.fees_paid
    position.save()
