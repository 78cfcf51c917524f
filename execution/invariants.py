"""What must hold of the books at every moment, asked of the live database.

Constraints and the order path keep these rules; here somebody looks whether they did. Each rule is a function
that yields what breaks it, and keeps no more in memory than one subscription's fills. Nothing is repaired.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.utils import timezone

from accounts import audit
from bot_sdk.ledger import Holding, LedgerError
from execution.freshness import FRESH_SHARE_OF_CANDLE
from execution.models import Cycle, Fill, Order, Position
from execution.orders import client_order_id, fold, payload_of
from subscriptions.models import CapitalChange, Subscription

MOST_BREACHES = 50  # of one rule; where so much is broken, more rows tell nothing new
ROWS_AT_ONCE = 2_000
POSITIONS_AT_ONCE = 200

# how long after its due moment something may still be unfinished: each has a task that ends it sooner
NEW_FOR = timedelta(minutes=10)
UNSETTLED_FOR = timedelta(minutes=15)  # more than any exchange's fence and two looks
OVERDUE_FOR = timedelta(minutes=15)
LEASE_OVER_FOR = timedelta(minutes=5)

Found = Iterator[tuple[str, str]]  # which row, and what is wrong with it


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule: `breaches` says what breaks it at the given moment."""

    name: str
    promise: str
    breaches: Callable[[datetime], Found]


@dataclass(frozen=True, slots=True)
class Breach:
    """One row that breaks the rule named `rule`."""

    rule: str
    row: str
    says: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can carry it."""
        return asdict(self)


def find_breaches(at: datetime | None = None) -> list[Breach]:
    """Return what breaks a rule at `at`, which is now by default; at most MOST_BREACHES of each rule."""
    moment = at or timezone.now()
    return [
        Breach(rule.name, row, says)
        for rule in INVARIANTS
        for row, says in itertools.islice(rule.breaches(moment), MOST_BREACHES)
    ]


def _doubled_cycles(_: datetime) -> Found:
    cycles = Cycle.objects.order_by().values("subscription", "candle_opened_at").annotate(count=Count("pk"))
    for row in cycles.filter(count__gt=1).iterator():
        yield (
            f"subscription {row['subscription']}",
            f"has {row['count']} cycles for the candle opened at {row['candle_opened_at']:%Y-%m-%d %H:%M}.",
        )


def _orders_of_no_intent(_: datetime) -> Found:
    for order in Order.objects.order_by("pk").select_related("subscription").iterator(ROWS_AT_ONCE):
        number = client_order_id(order.subscription_id, order.moment_at, order.leg)
        if order.client_order_id != number:
            yield _name(order), f"its client id is not {number}, which its moment and leg give."
        is_older_than_payloads = not order.payload and order.send_by is None
        if order.payload != payload_of(order) and not is_older_than_payloads:
            yield _name(order), "what it says now is not what was written before it was sent."


def _shared_exchange_orders(_: datetime) -> Found:
    known = Order.objects.order_by().exclude(exchange_order_id="")
    places = known.values("subscription__account", "subscription__market", "exchange_order_id")
    for row in places.annotate(count=Count("pk")).filter(count__gt=1).iterator():
        yield (
            f"account {row['subscription__account']}",
            f"{row['count']} orders claim the exchange's order {row['exchange_order_id']}.",
        )


def _overfilled_orders(_: datetime) -> Found:
    for order in _with_filled().filter(filled__gt=F("amount")).iterator():
        yield _name(order), f"{order.filled} was filled of {order.amount}."


def _filled_in_part(_: datetime) -> Found:
    filled = _with_filled().filter(state=Order.State.FILLED)
    for order in filled.filter(Q(filled=None) | Q(filled__lt=F("amount"))).iterator():
        yield _name(order), f"it counts as filled, with fills of {order.filled or 0} of {order.amount}."


def _accepted_without_number(_: datetime) -> Found:
    states = Order.State
    accepted = [states.OPEN, states.FILLED, states.CANCELED, states.EXPIRED]
    for order in Order.objects.filter(exchange_order_id="", state__in=accepted).iterator():
        yield _name(order), f"it is {order.get_state_display().lower()}, but no exchange has numbered it."


def _fills_of_unsent(_: datetime) -> Found:
    for order in _with_filled().filter(state__in=[Order.State.NEW, Order.State.NOT_SENT], filled__gt=0):
        yield _name(order), f"it was never sent, but {order.filled} of it was filled."


def _doubled_trades(_: datetime) -> Found:
    # an account that trades with itself has one trade on both sides
    place = ("order__subscription__account", "order__subscription__market", "order__side", "trade_id")
    trades = Fill.objects.order_by().values(*place).annotate(count=Count("pk"))
    for row in trades.filter(count__gt=1).iterator():
        yield f"account {row[place[0]]}", f"trade {row['trade_id']} is booked {row['count']} times."


def _capitals_off_their_changes(_: datetime) -> Found:
    changes = CapitalChange.objects.order_by("subscription_id", "revision").select_related("subscription")
    for earlier, change in itertools.pairwise(changes.iterator(ROWS_AT_ONCE)):
        if earlier.subscription_id == change.subscription_id and earlier.capital != change.before:
            yield _name(change), f"it began with {change.before}, the one before it left {earlier.capital}."
    newest = CapitalChange.objects.filter(subscription=OuterRef("pk")).order_by("-revision").values("capital")
    changed = Subscription.objects.annotate(left=Subquery(newest[:1])).exclude(left=None).order_by("pk")
    for row in changed.exclude(allocated_capital=F("left")).iterator():
        yield _name(row), f"{row.allocated_capital} is allocated, its last change left {row.left}."


def _positions_off_their_fills(_: datetime) -> Found:
    positions = Position.objects.order_by("subscription_id").select_related("subscription__market")
    for batch in itertools.batched(positions.iterator(POSITIONS_AT_ONCE), POSITIONS_AT_ONCE):
        fills = Fill.objects.filter(order__subscription__in=[each.subscription_id for each in batch])
        ordered = fills.select_related("order").order_by("order__subscription_id").iterator(ROWS_AT_ONCE)
        of = itertools.groupby(ordered, key=lambda fill: fill.order.subscription_id)
        owner, own = next(of, (None, iter(())))
        for position in batch:
            has_fills = position.subscription_id == owner
            is_off = _difference(position, list(own) if has_fills else [])
            if is_off and (still := _difference_now(position)):
                yield f"position {position.pk}", still
            if has_fills:
                owner, own = next(of, (None, iter(())))
    orphans = Subscription.objects.filter(position=None, orders__fills__isnull=False).distinct().order_by()
    for pk in orphans.values_list("pk", flat=True).iterator():
        yield f"subscription {pk}", "it has fills, but no position."


def _difference_now(position: Position) -> str:
    """Look again while nothing can be booked: between two reads something may have been."""
    with transaction.atomic():
        Subscription.objects.select_for_update(no_key=True).only("pk").get(pk=position.subscription_id)
        locked = Position.objects.select_for_update(of=["self"]).select_related("subscription__market")
        now = locked.get(pk=position.pk)
        fills = Fill.objects.filter(order__subscription=now.subscription).select_related("order")
        return _difference(now, list(fills))


def _difference(position: Position, fills: list[Fill]) -> str:
    try:
        expected = fold(position.subscription, fills)
    except LedgerError as error:
        return f"its fills do not add up: {error}"
    wrong = [
        f"{name} is {_plain(position.holding, name)}, its fills give {_plain(expected, name)}"
        for name in Holding.__dataclass_fields__
        if getattr(position.holding, name) != getattr(expected, name)
    ]
    return f"{'; '.join(wrong)}." if wrong else ""


def _plain(holding: Holding, name: str) -> str:
    return f"{getattr(holding, name).normalize():f}"


def _endless_orders(at: datetime) -> Found:
    states = Order.State
    is_new = Q(state=states.NEW, created_at__lt=at - NEW_FOR)
    is_unsettled = Q(state__in=[states.SENDING, states.UNKNOWN], sent_at__lt=at - UNSETTLED_FOR)
    is_overdue = Q(state=states.OPEN, expires_at__lt=at - OVERDUE_FOR)
    for order in Order.objects.filter(is_new | is_unsettled | is_overdue).iterator():
        since = order.expires_at if order.state == states.OPEN else order.sent_at or order.created_at
        assert since is not None
        yield _name(order), f"it is {order.state} and should not be since {since:%Y-%m-%d %H:%M} UTC."


def _endless_cycles(at: datetime) -> Found:
    for cycle in Cycle.objects.lost(at - LEASE_OVER_FOR).iterator():
        yield (
            f"cycle {cycle.pk}",
            f"it still runs; its lease ended at {cycle.lease_until:%Y-%m-%d %H:%M} UTC.",
        )


def _sent_when_stale(_: datetime) -> Found:
    opened_at, closed_at = F("cycle__candle_opened_at"), F("cycle__candle_closed_at")
    fresh_for = ExpressionWrapper((closed_at - opened_at) * FRESH_SHARE_OF_CANDLE, DurationField())
    stale = Order.objects.filter(sent_at__gte=closed_at + fresh_for).select_related("cycle")
    for order in stale.iterator():
        assert order.sent_at is not None
        assert order.cycle is not None
        late = order.sent_at - order.cycle.candle_closed_at
        yield _name(order), f"it was sent {late.total_seconds():.0f} s after its candle had closed."


def _tampering(_: datetime) -> Found:
    return audit.find_tampering()


def _with_filled() -> QuerySet[Any]:
    return Order.objects.annotate(filled=Sum("fills__amount")).order_by("pk")


def _name(row: Model) -> str:
    return f"{row._meta.model_name} {row.pk}"


INVARIANTS = (
    Invariant("one cycle per candle", "A subscription decides each candle once.", _doubled_cycles),
    Invariant(
        "one order per intent",
        "An order's id derives from its subscription, moment and leg; it sent what was written before.",
        _orders_of_no_intent,
    ),
    Invariant(
        "one row per exchange order", "No two orders claim one order of an exchange.", _shared_exchange_orders
    ),
    Invariant("fills within the order", "No order was filled beyond its amount.", _overfilled_orders),
    Invariant("filled is filled", "What counts as filled has fills of its whole amount.", _filled_in_part),
    Invariant(
        "accepted has a number",
        "What an exchange took has the exchange's number; only refused and unsent orders have none.",
        _accepted_without_number,
    ),
    Invariant("unsent has no fills", "What was never sent was never filled.", _fills_of_unsent),
    Invariant("a trade counts once", "Each trade of an account is booked once.", _doubled_trades),
    Invariant(
        "capital is its changes",
        "Each change of capital follows on the one before, and the last says what is allocated.",
        _capitals_off_their_changes,
    ),
    Invariant(
        "position is its fills",
        "Each position is what its capital and its fills give.",
        _positions_off_their_fills,
    ),
    Invariant(
        "orders end",
        "No order is new for 10 minutes, of unknown fate for 15, or open 15 beyond its time.",
        _endless_orders,
    ),
    Invariant("cycles end", "No cycle runs 5 minutes beyond its lease.", _endless_cycles),
    Invariant("stale is not sent", "No order left after its signal had become too old.", _sent_when_stale),
    Invariant(
        "audit log", "The audit log is as it was written, to its end.", lambda _: audit.find_tampering()
    ),
)
