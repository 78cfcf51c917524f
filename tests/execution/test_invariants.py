"""A clean database keeps every rule, and each rule is seen to break when it is broken behind the models."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import audit
from accounts.models import AuditEntry
from bot_sdk.risk import Signal
from exchanges.gateway import Ticker
from exchanges.paper_gateway import PaperGateway
from execution import tasks
from execution.capital import change_capital
from execution.invariants import INVARIANTS, find_breaches
from execution.models import Cycle, Fill, Order, Position
from execution.orders import Intent, fold, payload_of, place_order, position_of
from subscriptions.models import CapitalChange, Subscription
from tests.factories import make_cycle, make_fill, make_order, make_subscription

pytestmark = pytest.mark.django_db


def booked(subscription: Subscription | None = None, **overrides: object) -> Order:
    """An order as the order path leaves it: sent in time, filled, and in the position."""
    cycle = make_cycle(subscription or make_subscription())
    sent_at = cycle.candle_closed_at + timedelta(seconds=3)
    order = make_order(
        cycle, sent_at=sent_at, send_by=sent_at + timedelta(seconds=5), exchange_order_id=f"x-{cycle.pk}"
    )
    seal(order)
    make_fill(order, **overrides)
    settle(order.subscription)
    return order


def seal(order: Order) -> None:
    """Have the row carry the hash of what it says."""
    order.refresh_from_db()
    order.payload = payload_of(order)
    order.save(update_fields=["payload"])


def settle(subscription: Subscription) -> None:
    """Have the position be what its fills give."""
    fills = Fill.objects.filter(order__subscription=subscription).select_related("order")
    holding, position = fold(subscription, fills), position_of(subscription)
    position.quote_balance, position.base_amount = holding.quote_balance, holding.base_amount
    position.cost_basis, position.fees_paid = holding.cost_basis, holding.fees_paid
    position.save()


def without(table: str, constraint: str) -> None:
    """Take a guard of the database away, for this test."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


def change(order: Order, **values: object) -> None:
    Order.objects.filter(pk=order.pk).update(**values)


def double_the_cycle(order: Order) -> None:
    without("execution_cycle", "one_cycle_per_candle")
    make_cycle(order.subscription)


def lose_the_moment(order: Order) -> None:
    change(order, moment_at=F("moment_at") + timedelta(minutes=1))


def change_the_amount(order: Order) -> None:
    change(order, amount=Decimal("0.02"), state=Order.State.CANCELED)


def claim_anothers_order(order: Order) -> None:
    other = booked()
    change(other, exchange_order_id=order.exchange_order_id)


def overfill(order: Order) -> None:
    change(order, state=Order.State.CANCELED)
    make_fill(order, trade_id="one too many")
    settle(order.subscription)


def lose_a_part(order: Order) -> None:
    order.fills.update(amount=Decimal("0.004"), cost=Decimal(240), fee=Decimal("0.24"))
    settle(order.subscription)


def lose_the_number(order: Order) -> None:
    change(order, exchange_order_id="")


def call_it_unsent(order: Order) -> None:
    change(order, state=Order.State.NOT_SENT)


def book_a_trade_again(order: Order) -> None:
    booked(trade_id=order.fills.get().trade_id)


def take_from_the_position(order: Order) -> None:
    Position.objects.update(base_amount=F("base_amount") - Decimal("0.00001"))


def lose_the_position(order: Order) -> None:
    Position.objects.all().delete()


def change_the_capital(order: Order) -> None:
    for revision, capital in enumerate((12_000, 8000, 9000)):
        change_capital(subscription=order.subscription, capital=Decimal(capital), revision=revision)


def lose_a_change_of_capital(order: Order) -> None:
    change_the_capital(order)
    CapitalChange.objects.filter(revision=2).delete()


def lose_the_newest_change_of_capital(order: Order) -> None:
    change_the_capital(order)
    CapitalChange.objects.filter(revision=3).delete()


def forget_the_order(order: Order) -> None:
    left = booked()
    left.fills.all().delete()
    settle(left.subscription)
    long_ago = timezone.now() - timedelta(minutes=16)
    change(left, state=Order.State.UNKNOWN, sent_at=long_ago, cycle=None)


def forget_to_send(order: Order) -> None:
    new = make_order(make_cycle(make_subscription()), state=Order.State.NEW)
    change(new, created_at=timezone.now() - timedelta(minutes=11))


def forget_to_cancel(order: Order) -> None:
    change(order, state=Order.State.OPEN, expires_at=timezone.now() - timedelta(minutes=16))


def forget_the_cycle(order: Order) -> None:
    Cycle.objects.update(state=Cycle.State.RUNNING, lease_until=timezone.now() - timedelta(minutes=6))


def send_late(order: Order) -> None:
    change(order, sent_at=F("moment_at") + timedelta(seconds=30))


def cut_the_audit_log(order: Order) -> None:
    audit.record(actor=None, action="order.noted", target=order)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER USER")
    AuditEntry.objects.all().delete()


BREAKS: list[tuple[str, Callable[[Order], None]]] = [
    ("one cycle per candle", double_the_cycle),
    ("one order per intent", lose_the_moment),
    ("one order per intent", change_the_amount),
    ("one row per exchange order", claim_anothers_order),
    ("fills within the order", overfill),
    ("filled is filled", lose_a_part),
    ("accepted has a number", lose_the_number),
    ("unsent has no fills", call_it_unsent),
    ("a trade counts once", book_a_trade_again),
    ("capital is its changes", lose_a_change_of_capital),
    ("capital is its changes", lose_the_newest_change_of_capital),
    ("position is its fills", take_from_the_position),
    ("position is its fills", lose_the_position),
    ("orders end", forget_the_order),
    ("orders end", forget_to_send),
    ("orders end", forget_to_cancel),
    ("cycles end", forget_the_cycle),
    ("stale is not sent", send_late),
    ("audit log", cut_the_audit_log),
]


def test_a_clean_database_keeps_every_rule() -> None:
    subscription = make_subscription()
    booked(subscription)
    position_of(make_subscription())

    assert find_breaches() == []


@pytest.mark.parametrize("amount", ["0.01", "0.00000001"], ids=["filled", "refused"])
def test_what_the_order_path_leaves_keeps_every_rule(amount: str) -> None:
    cycle = make_cycle(make_subscription(), state=Cycle.State.RUNNING, candle_closed_at=timezone.now())
    intent = Intent(
        subscription=cycle.subscription,
        signal=Signal(action="BUY", amount=Decimal(amount), reason="because", source="bot", skip=None),
        moment_at=cycle.candle_closed_at,
        sized_for=position_of(cycle.subscription).holding,
        fresh_until=timezone.now() + timedelta(seconds=30),
        cycle=cycle,
    )
    ticker = Ticker(last=Decimal(60_000), bid=Decimal(59_999), ask=Decimal(60_001), at=timezone.now())

    order = place_order(intent, PaperGateway("BTC/USDT", cycle.subscription.market.rules, ticker))

    assert order.is_final
    assert find_breaches() == []


def test_every_rule_has_something_that_breaks_it() -> None:
    assert {rule for rule, _ in BREAKS} == {rule.name for rule in INVARIANTS}


@pytest.mark.parametrize(("rule", "break_it"), BREAKS, ids=lambda each: getattr(each, "__name__", None))
def test_what_breaks_a_rule_is_found_by_that_rule_alone(rule: str, break_it: Callable[[Order], None]) -> None:
    order = booked()

    break_it(order)

    assert [breach.rule for breach in find_breaches()] == [rule]


def test_what_was_just_begun_is_no_breach() -> None:
    subscription = make_subscription()
    now = timezone.now()
    make_order(make_cycle(subscription, state="RUNNING", age=2), state=Order.State.NEW)
    make_order(make_cycle(subscription, state="RUNNING", age=1), state=Order.State.SENDING, sent_at=now)
    Order.objects.update(sent_at=None)

    assert find_breaches() == []


def test_fills_of_many_subscriptions_go_each_to_its_own(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(5):
        booked()
        position_of(make_subscription())
    off = Position.objects.filter(base_amount__gt=0).order_by("subscription_id")[2]
    Position.objects.filter(pk=off.pk).update(realized_pnl=1)

    [breach] = find_breaches()

    assert breach.row == f"position {off.pk}"
    assert breach.says == "realized_pnl is 1, its fills give 0."


def test_an_order_from_before_payloads_were_kept_is_no_breach() -> None:
    order = booked()

    change(order, payload="", send_by=None)

    assert find_breaches() == []


def test_the_command_is_silent_about_nothing_and_fails_when_a_rule_is_broken() -> None:
    order, told = booked(), StringIO()
    call_command("check_invariants", stdout=told)
    assert "BROKEN" not in told.getvalue()
    lose_the_number(order)

    with pytest.raises(CommandError, match="1 of 14 rules are broken"):
        call_command("check_invariants", stdout=told)

    assert "BROKEN  accepted has a number" in told.getvalue()
    assert f"order {order.pk}" in told.getvalue()


def test_the_command_speaks_json() -> None:
    order, told = booked(), StringIO()
    lose_the_number(order)

    with pytest.raises(CommandError):
        call_command("check_invariants", "--json", stdout=told)

    found = json.loads(told.getvalue())
    assert [breach["rule"] for breach in found["breaches"]] == ["accepted has a number"]
    assert set(found["rules"]) == {rule.name for rule in INVARIANTS}


def test_the_hourly_check_tells_the_operator_only_of_a_breach(caplog: pytest.LogCaptureFixture) -> None:
    order = booked()
    tasks.check_invariants()
    assert "invariant-broken" not in caplog.text
    lose_the_number(order)

    tasks.check_invariants()

    [record] = [record for record in caplog.records if "invariant-broken" in record.getMessage()]
    assert record.levelno == logging.CRITICAL
    assert f"order {order.pk}" in record.getMessage()
