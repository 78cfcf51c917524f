"""What became of orders that were left behind: lost answers, dead workers, and limits that rest too long.

An order whose fate is unknown is looked up by its client id. Until its fence has passed, "there is none"
proves nothing, since it may still be on its way; after it, the exchange has to say so twice, a while apart.
Nothing is ever sent again.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.models import User
from exchanges.errors import ExchangeError, KeyRefused
from exchanges.gateway import ExchangeGateway, Ticker
from execution.errors import OrderError
from execution.models import Cycle, Order
from execution.orders import book, finish
from execution.watching import is_over, leave

logger = logging.getLogger(__name__)

AGREEING_ABSENCES = 2
BETWEEN_LOOKS = timedelta(seconds=5)
CLOCKS_APART = timedelta(seconds=60)  # how much earlier than we sent it an exchange may have dated an order
NEVER_SENT = timedelta(minutes=5)  # a row this old that is still NEW has lost its worker
NOT_TAKEN = "The exchange does not know this order: it never arrived, and nothing was traded."
WORKER_STOPPED = "The worker stopped before the order was executed."


def settle(order: Order, gateway: ExchangeGateway) -> Order:
    """Ask what became of an order that may have arrived, and book it, or know that it never will.

    Raises ExchangeUnavailable and KeyRefused; then nothing has changed.
    """
    if order.sent_at is None or order.settles_at is None:
        raise ValueError(f"Order {order.pk} was never sent.")
    now = timezone.now()
    report = gateway.find_order(str(order.client_order_id), order.sent_at - CLOCKS_APART)
    if report is not None:
        return book(order=order, report=report)
    if now < order.settles_at:
        return order
    is_apart = Q(looked_up_at=None) | Q(looked_up_at__lte=now - BETWEEN_LOOKS)
    row = Order.objects.unsettled().filter(is_apart, pk=order.pk)
    row.update(absences=F("absences") + 1, looked_up_at=now)
    order.refresh_from_db()
    if order.absences >= AGREEING_ABSENCES and not order.is_final:
        return finish(order, Order.State.NOT_SENT, NOT_TAKEN)
    return order


def tend(order: Order, gateway: ExchangeGateway, prices: Callable[[], Ticker] | None) -> Order:
    """Bring an open order up to date; with `prices`, one that is over is ended."""
    now = timezone.now()
    if prices is not None and is_over(order, now):
        return leave(order, gateway, prices(), now)
    return book(order=order, report=gateway.fetch_order(order.exchange_order_id))


def end_by_staff(*, order: Order, staff: User, reason: str) -> Order:
    """End an order of unknown fate as never arrived, and write who said so and why into the audit log.

    For what look-ups cannot decide, such as at an exchange that is gone. Nothing is booked: should the order
    have been executed after all, the next reconciliation finds it. Raises OrderError while the order may
    still arrive, when it has fills, or when it has ended.
    """
    with transaction.atomic():
        rows = Order.objects.select_for_update(of=["self"]).select_related("subscription__market")
        row = rows.get(pk=order.pk)
        if row.state not in (Order.State.UNKNOWN, Order.State.SENDING) or row.settles_at is None:
            raise OrderError(f"Order {row.pk} is {row.get_state_display().lower()}, not of unknown fate.")
        if timezone.now() < row.settles_at:
            raise OrderError(f"Order {row.pk} may still arrive until {row.settles_at:%Y-%m-%d %H:%M:%S} UTC.")
        if row.fills.exists():
            raise OrderError(f"Order {row.pk} has fills, so it did arrive.")
        finish(row, Order.State.NOT_SENT, f"Staff found that this order never arrived: {reason}")
        audit.record(actor=staff, action="order.end", target=row, reason=reason)
    return row


def places() -> list[tuple[int, int]]:
    """Return the accounts and markets on which orders have to be looked after."""
    places = _left_behind().values_list("subscription__account", "subscription__market")
    return list(places.order_by().distinct())


def left_behind(account_id: int, market_id: int) -> QuerySet[Order]:
    """Return the orders of one place, the oldest first."""
    there = _left_behind().filter(subscription__account=account_id, subscription__market=market_id)
    return there.select_related("subscription__market").order_by("pk")


def _left_behind() -> QuerySet[Order]:
    is_open = Order.objects.at_exchanges().filter(state=Order.State.OPEN)
    return Order.objects.at_exchanges().unsettled() | is_open


def look_after(
    orders: list[Order], gateway: ExchangeGateway, prices: Callable[[], Ticker] | None = None
) -> None:
    """Settle or tend orders of one account on one market; what one lacks holds no other up.

    `prices` asks for the market's, where they are needed. Without them orders are only brought up to date:
    none is ended and none placed. Raises KeyRefused: then no other order can be looked up either.
    """
    for order in orders:
        try:
            if order.state == Order.State.OPEN:
                tend(order, gateway, prices)
            else:
                settle(order, gateway)
        except KeyRefused:
            raise
        except ExchangeError as error:
            logger.warning("Order %s could not be looked up: %s", order.pk, error)


def settle_on_paper(now: datetime) -> int:
    """End what dead workers left of orders; return how many.

    An order that is still NEW was never sent. The paper exchange keeps its books in this database, and an
    order's fills and its end commit together: one that is still SENDING has none, and never will.
    """
    ended = [Cycle.State.INTERRUPTED, Cycle.State.DONE]
    new = Order.objects.filter(state=Order.State.NEW)
    lost = new.filter(cycle__state__in=ended) | new.filter(created_at__lt=now - NEVER_SENT)
    count = lost.update(state=Order.State.NOT_SENT, message=WORKER_STOPPED)
    paper = Order.objects.on_paper().filter(state=Order.State.SENDING, send_by__lt=now)
    return count + paper.update(state=Order.State.NOT_SENT, message=WORKER_STOPPED)
