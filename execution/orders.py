"""From a signal to money: the order row first, then one send, then fills and the position.

An order is sent at most once. Its row is committed as SENDING before the send, with the moment after which
nothing of it leaves any more; whatever then happens without a definite answer leaves it UNKNOWN, and nothing
sends it again. `settling` finds out what became of it.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from celery import current_app
from django.db import transaction
from django.utils import timezone

from bot_sdk.ledger import FeeIn, Holding, LedgerError, apply_fill
from bot_sdk.money import cost_of
from bot_sdk.risk import BOT, Signal
from bot_sdk.skip_reasons import SkipReason
from exchanges.errors import ExchangeUnavailable, KeyRefused, OrderRejected, OutcomeUnknown
from exchanges.gateway import Fill as FillReport
from exchanges.gateway import OrderReport, TradingGateway
from exchanges.models import ExchangeAccount, Market
from execution import envelope
from execution.alarms import Trouble, alarm
from execution.models import GUARD, NOT_FINAL, Cycle, Fill, Order, Position
from execution.telling import tell_of_fills, tell_of_halt
from subscriptions import lifecycle
from subscriptions.models import Subscription

logger = logging.getLogger(__name__)

CLIENT_ORDER_NAMESPACE = uuid.UUID("6d0c7f0a-5a5e-4c39-9f61-0f4f0c1d8a55")
SIGNAL, CLOSE = "signal", "close"  # legs: a cycle's order, and what a trader has sold on stopping
MOST_REFUSALS = 3  # in a row; then the subscription is paused
SEND_WITHIN = timedelta(seconds=5)  # from the claim on; a pause may have to wait for so long
LEAVING = timedelta(seconds=2.25)  # for a worker held up between its last look at the clock and the network
FORBIDDEN = {
    SkipReason.TRADING_HALTED: "Trading is halted.",
    SkipReason.REDUCING_ONLY: "Only sales are allowed now.",
    SkipReason.EXPOSURE_LIMIT: "Your bots together hold as much as your limit for all of them allows.",
    SkipReason.TRADER_DAILY_LOSS: "Your bots together have lost as much today as your limit allows.",
}
CHECK_TASK = "exchanges.tasks.check_account"


@dataclass(frozen=True, slots=True)
class Intent:
    """One order to be placed: the signal, the moment and leg it is the only order of, and its conditions.

    `sized_for` is the holding that its amount was computed from; at `fresh_until` it is too late to send it.
    `bid` is what the risk rules saw when it was decided, so that the order counts on that day.
    """

    subscription: Subscription
    signal: Signal
    moment_at: datetime
    sized_for: Holding
    fresh_until: datetime
    leg: str = SIGNAL
    cycle: Cycle | None = None
    expires_at: datetime | None = None
    stop_price: Decimal | None = None
    bid: Decimal | None = None

    @property
    def revision(self) -> int:
        """The subscription's settings that it follows from."""
        return self.cycle.revision if self.cycle else self.subscription.revision


def client_order_id(subscription_id: int, moment_at: datetime, leg: str = SIGNAL) -> uuid.UUID:
    """Return the id of the one order that this subscription may place for this moment and leg.

    It derives from its arguments alone, so it can be found again after all local state is lost.
    """
    return uuid.uuid5(CLIENT_ORDER_NAMESPACE, f"{subscription_id}:{moment_at.isoformat()}:{leg}")


def position_of(subscription: Subscription) -> Position:
    """Return the subscription's position; the first call opens it with the allocated capital."""
    position, _ = Position.objects.get_or_create(
        subscription=subscription, defaults={"quote_balance": subscription.allocated_capital}
    )
    return position


def read_positions(subscriptions: Collection[Subscription]) -> None:
    """Give these subscriptions their `position` as it is now, and open those that are missing."""
    found = _positions_of(subscriptions)
    missing = [subscription for subscription in subscriptions if subscription.pk not in found]
    if missing:
        Position.objects.bulk_create(
            [Position(subscription=each, quote_balance=each.allocated_capital) for each in missing],
            ignore_conflicts=True,
        )
        found |= _positions_of(missing)
    for subscription in subscriptions:
        subscription.position = found[subscription.pk]


def _positions_of(subscriptions: Collection[Subscription]) -> dict[int, Position]:
    rows = Position.objects.filter(subscription__in=subscriptions)
    return {position.subscription_id: position for position in rows}


def place_order(intent: Intent, gateway: TradingGateway) -> Order:
    """Place the order that is intended and book what it filled.

    Returns it as the exchange says (OPEN, FILLED, CANCELED, EXPIRED), REJECTED (refused), NOT_SENT (it was
    stopped, overtaken or too late before it left; the message says by what) or UNKNOWN (no definite answer).
    Placing twice places once.
    """
    order = _record(intent)
    if order.state != Order.State.NEW or not _claim_for_sending(order, intent):
        return order
    try:
        report = _send(order, gateway)
    except KeyRefused as error:
        current_app.send_task(CHECK_TASK, args=[intent.subscription.account_id])
        return _refused(order, str(error))
    except OrderRejected as error:
        return _refused(order, str(error))
    except ExchangeUnavailable as error:
        return finish(order, Order.State.NOT_SENT, str(error))
    except OutcomeUnknown as error:
        return finish(order, Order.State.UNKNOWN, str(error))
    return book(order=order, report=report)


def book(*, order: Order, report: OrderReport) -> Order:
    """Book the report's fills, each once by its trade id, and move position and state with them.

    Reports may come late, twice and in any order: the end is the same. Where they cannot be true (more sold
    than held, more filled than ordered), nothing of them is booked, the subscription is paused and the
    operator told.
    """
    try:
        with transaction.atomic():
            return _book(order, report)
    except LedgerError as error:
        return _doubt(order, str(error))


def finish(order: Order, state: Order.State, message: str) -> Order:
    """End the sending of an order for which there is nothing to book; one that has ended already stays so."""
    unended = Order.objects.filter(pk=order.pk, state__in=NOT_FINAL)
    if unended.update(state=state, message=message[:300]):
        order.state, order.message = state, message[:300]
    else:
        order.refresh_from_db()
    _leaves_no_more(order)
    return order


def _refused(order: Order, message: str) -> Order:
    """End a refused order; several in a row are nothing that the next candle mends.

    What becomes of a sale that its trader wants is for whoever closes.
    """
    order = finish(order, Order.State.REJECTED, message)
    if order.leg == CLOSE:
        return order
    sent = Order.objects.filter(subscription=order.subscription_id, sent_at__isnull=False).exclude(leg=GUARD)
    newest = list(sent.order_by("-sent_at", "-pk").values_list("state", flat=True)[:MOST_REFUSALS])
    if newest == [Order.State.REJECTED] * MOST_REFUSALS:
        reason = f"{MOST_REFUSALS} orders in a row were refused. The last one: {message}"
        lifecycle.pause_and_tell(subscriptions=[order.subscription], reason=reason)
    return order


def fold(subscription: Subscription, fills: Iterable[Fill]) -> Holding:
    """Return what all these fills, with their orders, leave of the capital that is allocated now.

    When it was put in makes no difference to that (`bot_sdk.ledger`). Raises LedgerError.
    """
    holding = Holding.start(subscription.allocated_capital)
    for fill in sorted(fills, key=booking_order):
        holding = _after(holding, fill, subscription.market)
    return holding


def fee_in(currency: str, market: Market) -> FeeIn:
    """Return what a fee of this currency is to the market."""
    return {market.quote: FeeIn.QUOTE, market.base: FeeIn.BASE}.get(currency, FeeIn.OTHER)


def _record(intent: Intent) -> Order:
    subscription, signal = intent.subscription, intent.signal
    number = client_order_id(subscription.pk, intent.moment_at, intent.leg)
    limit = signal.limit_price
    order, _ = Order.objects.get_or_create(
        client_order_id=number,
        defaults={
            "payload": payload(
                subscription, number, signal.action, signal.amount, limit=limit, stop=intent.stop_price
            ),
            "subscription": subscription,
            "cycle": intent.cycle,
            "moment_at": intent.moment_at,
            "leg": intent.leg,
            "side": signal.action,
            "kind": Order.Kind.MARKET if limit is None else Order.Kind.LIMIT,
            "amount": signal.amount,
            "limit_price": limit,
            "stop_price": intent.stop_price,
            "expires_at": intent.expires_at,
            "source": signal.source,
            "reason": signal.reason[:500],
        },
    )
    return order


def payload(
    subscription: Subscription,
    number: uuid.UUID,
    side: str,
    amount: Decimal,
    *,
    limit: Decimal | None,
    stop: Decimal | None,
) -> str:
    """Return the sha256 of what an order sends, and where to."""
    figures = [f"{figure.normalize():f}" if figure else None for figure in (amount, limit, stop)]
    sent = [subscription.account_id, subscription.market_id, str(number), side, *figures]
    return hashlib.sha256(json.dumps(sent).encode()).hexdigest()


def payload_of(order: Order) -> str:
    """Return what the payload of an order's row has to be."""
    return payload(
        order.subscription,
        order.client_order_id,
        order.side,
        order.amount,
        limit=order.limit_price,
        stop=order.stop_price,
    )


def _claim_for_sending(order: Order, intent: Intent) -> bool:
    """Move NEW to SENDING under the subscription's lock, which whoever stops it waits for.

    All that may have stopped the order since it was intended is asked again here.
    """
    with transaction.atomic():
        selling = intent.leg == CLOSE
        running = Subscription.objects.closing() if selling else Subscription.objects.active()
        if intent.signal.source == BOT:
            running = running.asked()
        found = running.select_for_update(of=["self"]).filter(pk=order.subscription_id).first()
        if found is None:
            objection = "The subscription was stopped before it."
        elif found.revision != intent.revision:
            objection = "The subscription's settings were changed before it."
        else:
            objection = _objection(order, intent)
        if objection:
            _withdraw(order, f"Not sent. {objection}")
            return False
        now = timezone.now()
        order.state, order.sent_at = Order.State.SENDING, now
        order.send_by = min(now + SEND_WITHIN, intent.fresh_until)
        claimed = Order.objects.filter(pk=order.pk, state=Order.State.NEW).update(
            state=order.state, sent_at=order.sent_at, send_by=order.send_by
        )
        if claimed:
            _note_order(order, intent.bid)
        return claimed == 1


def _note_order(order: Order, bid: Decimal | None) -> None:
    """Let a pause see that an order may be leaving, and let the risk rules count it."""
    assert order.send_by is not None
    Subscription.objects.filter(pk=order.subscription_id).update(sending_until=order.send_by + LEAVING)
    positions = Position.objects.select_for_update(of=["self"]).select_related("subscription")
    position = positions.get(subscription=order.subscription_id)
    past = position.past
    was_halted = past.is_halted
    if bid is not None:
        risk = position.subscription.risk
        past = past.seen(at=timezone.now(), bid=bid, holding=position.holding, risk=risk)
    is_counted = order.leg != GUARD  # the rules count what trades
    position.risk_state = (past.ordered() if is_counted else past).to_dict()
    position.save(update_fields=["risk_state"])
    if past.is_halted and not was_halted:
        tell_of_halt(position)


def _withdraw(order: Order, message: str) -> None:
    """End an order that is still NEW; one that another worker has sent meanwhile is that worker's."""
    never_left = Order.objects.filter(pk=order.pk, state=Order.State.NEW)
    never_left.update(state=Order.State.NOT_SENT, message=message[:300])
    order.refresh_from_db(fields=["state", "message"])


def _objection(order: Order, intent: Intent) -> str:
    """Say what speaks against sending the order now, or return ""."""
    subscription = intent.subscription
    if timezone.now() >= intent.fresh_until:
        return "The signal has become too old to trade on."
    if intent.cycle and not _is_ours(intent.cycle):
        return "The cycle took too long."
    if Order.objects.in_the_way(subscription, order.side).exists():
        return "Another order of this subscription is not finished."
    if _has_unsettled(subscription):
        return "What became of an earlier order on this account and market is not known yet."
    holding = position_of(subscription).holding
    sized_for = intent.sized_for
    if (holding.base_amount, holding.quote_balance) != (sized_for.base_amount, sized_for.quote_balance):
        return "The position has changed since it was decided."
    if order.side == Order.Side.SELL and order.amount > holding.base_amount:
        return f"It would sell more than the {holding.base_amount.normalize():f} that the subscription holds."
    if forbidden := envelope.objection(subscription, order.side, _estimate(order, intent), is_locked=True):
        return FORBIDDEN[forbidden]
    if order.payload != payload_of(order):
        return "Its row was changed after it was written."
    return ""


def _estimate(order: Order, intent: Intent) -> Decimal:
    """Return about what the order costs, in quote."""
    return cost_of(order.amount, order.limit_price or intent.bid or Decimal(0))


def _is_ours(cycle: Cycle) -> bool:
    return Cycle.objects.claimed_by(cycle).filter(lease_until__gt=timezone.now()).exists()


def _has_unsettled(subscription: Subscription) -> bool:
    """Whether an order on the account and market may have arrived or not; the account's lock is kept."""
    if subscription.account_id is None:
        return False
    ExchangeAccount.objects.select_for_update(no_key=True).get(pk=subscription.account_id)
    return (
        Order.objects.unsettled()
        .filter(subscription__account=subscription.account_id, subscription__market=subscription.market_id)
        .exists()
    )


def _send(order: Order, gateway: TradingGateway) -> OrderReport:
    pair, number = order.subscription.market.trading_pair, str(order.client_order_id)
    if order.limit_price is None:
        return gateway.create_market_order(pair, order.side, order.amount, number, send_by=order.send_by)
    return gateway.create_limit_order(
        pair,
        order.side,
        order.amount,
        order.limit_price,
        number,
        stop_price=order.stop_price,
        send_by=order.send_by,
    )


def _book(order: Order, report: OrderReport) -> Order:
    orders = Order.objects.select_for_update(of=["self"]).select_related(
        "subscription__market", "subscription__account", "subscription__bot"
    )
    order = orders.get(pk=order.pk)
    subscription = order.subscription
    if order.is_final and subscription.is_on_paper:
        return order
    Subscription.objects.select_for_update(no_key=True).only("pk").get(pk=subscription.pk)
    # read anew: its capital may have been changed until its row was locked
    positions = Position.objects.select_for_update(of=["self"]).select_related("subscription__market")
    position = positions.get(pk=position_of(subscription).pk)
    fresh = _new_fills(order, report.fills)
    if fresh:
        if sum(fill.amount for fill in order.fills.all()) > order.amount:
            raise LedgerError(f"More than the {order.amount} ordered was filled.")
        _move(position, position.subscription, fresh)
    # NOT_SENT is what we concluded; the exchange knows better
    if not order.is_final or order.state == Order.State.NOT_SENT:
        order.exchange_order_id = report.exchange_order_id
        order.state = Order.State(report.state)
        order.message = ""
        order.save(update_fields=["exchange_order_id", "state", "message"])
        _leaves_no_more(order)
    if order.is_final:
        tell_of_fills(order)
    return order


def _move(position: Position, subscription: Subscription, fresh: list[Fill]) -> None:
    before, after = position.holding, _holding_after(position, subscription, fresh)
    past = position.past.filled(
        at=fresh[-1].filled_at,
        before=before,
        after=after,
        price=fresh[-1].price,
        rules=subscription.market.rules,
    )
    position.quote_balance = after.quote_balance
    position.base_amount = after.base_amount
    position.cost_basis = after.cost_basis
    position.realized_pnl = after.realized_pnl
    position.fees_paid = after.fees_paid
    position.risk_state = past.to_dict()
    if not before.base_amount:
        now = timezone.now()  # on paper: a price there may be of a trade long ago
        bought_at = now if subscription.is_on_paper else max(fill.filled_at for fill in fresh)
        position.watched_at = min(now, bought_at)
    position.save()


def _leaves_no_more(order: Order) -> None:
    """Let whoever stops the subscription no longer wait for this order; another may be leaving now."""
    if order.send_by is not None:
        waiting = Subscription.objects.filter(pk=order.subscription_id)
        waiting.filter(sending_until=order.send_by + LEAVING).update(sending_until=None)


def _new_fills(order: Order, reports: Sequence[FillReport]) -> list[Fill]:
    known = set(order.fills.values_list("trade_id", flat=True))
    fresh = {report.trade_id: report for report in reports if report.trade_id not in known}
    return Fill.objects.bulk_create(
        [
            Fill(
                order=order,
                trade_id=report.trade_id,
                price=report.price,
                amount=report.amount,
                cost=report.cost,
                fee=report.fee,
                fee_currency=report.fee_currency,
                filled_at=report.filled_at,
            )
            for report in fresh.values()
        ]
    )


def _holding_after(position: Position, subscription: Subscription, fresh: list[Fill]) -> Holding:
    """Add what is new at the end; what belongs before something booked makes all of it be added up anew."""
    booked = Fill.objects.filter(order__subscription=subscription).select_related("order")
    earlier = booked.exclude(pk__in=[fill.pk for fill in fresh])
    newest = earlier.order_by("-order__sent_at", "-order_id", "-filled_at", "-trade_id").first()
    fresh.sort(key=booking_order)
    if newest is not None and booking_order(newest) > booking_order(fresh[0]):
        return fold(subscription, booked)
    holding = position.holding
    for fill in fresh:
        holding = _after(holding, fill, subscription.market)
    return holding


def booking_order(fill: Fill) -> tuple[datetime, int, datetime, str]:
    """Where a fill stands among all of its subscription: orders come one after the other."""
    order = fill.order
    return order.sent_at or order.created_at, order.pk, fill.filled_at, fill.trade_id


def _after(holding: Holding, fill: Fill, market: Market) -> Holding:
    return apply_fill(
        holding,
        fill.order.side,
        fill.amount,
        fill.price,
        fill.fee,
        fee_in=fee_in(fill.fee_currency, market),
        may_overdraw=True,
    )


def _doubt(order: Order, problem: str) -> Order:
    """Keep an order whose report cannot be booked for staff, and let its subscription trade no more."""
    logger.error("Order %s: %s", order.pk, problem)
    finish(order, Order.State.UNKNOWN, f"The exchange's report does not fit our books: {problem}")
    alarm(Trouble.BOOKS_DO_NOT_FIT, f"order {order.pk}: {problem}")
    reason = "An order does not fit the books; staff look."
    lifecycle.pause_and_tell(subscriptions=[order.subscription], reason=reason)
    return order
