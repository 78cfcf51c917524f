"""A database that is older than its exchanges: what bots ordered since the backup is adopted, once."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User
from bot_sdk.ledger import Holding
from execution import guards, reconciling, tasks
from execution.closing import sell_and_stop
from execution.errors import RestoreError
from execution.invariants import find_breaches
from execution.models import GUARD, Cycle, Fill, Order, Position, Reconciliation
from execution.orders import CLOSE, client_order_id, position_of
from execution.reconciling import Kind, reconcile
from execution.restoring import HALTED, LONGEST, Restored, restore
from execution.watching import TIMEOUT
from subscriptions.models import Subscription, TradingState
from subscriptions.switches import platform_switch, set_platform_state
from tests.exchanges.simulated import PAIR, Simulator, Trader
from tests.execution.test_reconciling import account_of, by_hand, holds, state_of
from tests.execution.test_settling import (
    AMOUNT,
    EXCHANGES,
    books_fit,
    let_pass,
    look_after_all,
    lose_the_answer,
    place,
    simulator,
    subscribed,
    trader,
)

__all__ = ["simulator", "trader"]  # fixtures

pytestmark = pytest.mark.django_db

LIMITS = {"buy_order_type": "ALL", "sell_order_type": "ALL", "order_type": "LIMIT"}
WHAT_WAS_SENT = (
    "client_order_id",
    "subscription",
    "leg",
    "moment_at",
    "side",
    "kind",
    "amount",
    "limit_price",
    "stop_price",
    "payload",
    "state",
    "exchange_order_id",
)


@pytest.fixture(autouse=True)
def second_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "SECOND_LOOK_SECONDS", 0)


class Backup:
    """The rows of the books as they were when it was made."""

    def __init__(self) -> None:
        rows = [row for model in (Cycle, Order, Fill, Position) for row in model._default_manager.all()]
        self._rows = serializers.serialize("json", rows)

    def come_back(self) -> None:
        for model in (Fill, Order, Cycle, Position, Reconciliation):
            model._default_manager.all().delete()
        for row in serializers.deserialize("json", self._rows):
            row.save()


def one_minute(trader: Trader, **overrides: Any) -> Subscription:
    """A subscription whose account holds its capital and nothing else."""
    trader.control("price", pair=PAIR, price="60000")
    holds(trader, USDT="2000", BTC="0")
    return subscribed(trader, timeframe="1m", **overrides)


def an_hour_ago() -> datetime:
    return timezone.now() - timedelta(hours=1)


def run(trader: Trader) -> Restored:
    """Restore the one account, and see that nothing was sent or canceled."""
    before = trader.orders()

    [done] = restore(since=an_hour_ago())

    assert trader.orders() == before
    return done


def books() -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[Holding]]:
    """All that is to be as it was before the database was lost."""
    fills = Fill.objects.order_by("trade_id")
    return (
        list(Order.objects.order_by("client_order_id").values_list(*WHAT_WAS_SENT)),
        list(fills.values_list("order__client_order_id", "trade_id", "price", "amount", "fee")),
        [position.holding for position in Position.objects.order_by("subscription")],
    )


def comes_back(trader: Trader, backup: Backup) -> Restored:
    """Lose the database, restore the backup and adopt: the books are those before it was lost."""
    expected = books()
    backup.come_back()
    assert books() != expected

    done = run(trader)

    assert books() == expected
    assert done.fits, done
    assert {breach.rule for breach in find_breaches()} <= {"stale is not sent"}  # the hour decides
    return done


def test_what_was_traded_since_the_backup_is_adopted(trader: Trader) -> None:
    subscription = one_minute(trader)
    place(subscription, age=1)
    backup = Backup()
    place(subscription)
    counted = position_of(subscription).past.orders_today

    done = comes_back(trader, backup)

    assert len(done.adopted) == 1
    assert position_of(subscription).past.orders_today == counted
    assert books_fit(subscription)
    assert state_of(subscription) == Subscription.State.ACTIVE


def test_without_adoption_the_account_does_not_fit(trader: Trader) -> None:
    subscription = one_minute(trader)
    backup = Backup()
    place(subscription)
    backup.come_back()

    done = reconcile(account_of(subscription))

    assert Kind.SHORT in [finding.kind for finding in done.findings]
    assert not done.is_clean


def test_an_open_limit_is_adopted_with_its_end(trader: Trader) -> None:
    execution = LIMITS | {"limit_timeout_seconds": 300}
    subscription = one_minute(trader, execution_config=execution)
    backup = Backup()
    sent = place(subscription, limit=Decimal(10_000))

    comes_back(trader, backup)

    order = Order.objects.get()
    assert order.state == Order.State.OPEN
    assert order.expires_at is not None
    assert sent.sent_at is not None
    assert abs(order.expires_at - sent.sent_at - timedelta(seconds=300)) < timedelta(seconds=5)


def test_a_limit_that_was_replaced_at_its_end_is_adopted_with_what_replaced_it(trader: Trader) -> None:
    execution = LIMITS | {"limit_timeout_action": "MARKET"}
    subscription = one_minute(trader, execution_config=execution)
    backup = Backup()
    place(subscription, limit=Decimal(10_000), expires_at=timezone.now() - timedelta(minutes=1))
    look_after_all(subscription)

    comes_back(trader, backup)

    assert Order.objects.get(leg=TIMEOUT).state == Order.State.FILLED
    assert Order.objects.exclude(leg=TIMEOUT).get().state == Order.State.CANCELED


# not at Binance, which takes its fee out of what is bought: that much is not there to be sold
@pytest.mark.parametrize("trader", ["COINBASE", "KRAKEN"], indirect=True)
def test_a_limit_that_the_backup_knows_is_booked_before_what_was_sold_of_it(trader: Trader) -> None:
    subscription = one_minute(trader)
    place(subscription, limit=Decimal(59_000), age=1)
    backup = Backup()
    trader.control("price", pair=PAIR, price="58999")
    look_after_all(subscription)
    assert place(subscription, side="SELL").state == Order.State.FILLED

    comes_back(trader, backup)

    assert state_of(subscription) == Subscription.State.ACTIVE  # nothing was in doubt


def test_a_resting_stop_is_adopted_and_kept(trader: Trader) -> None:
    subscription = one_minute(trader, risk_config={"stop_loss_percent": 5.0})
    place(subscription)
    backup = Backup()
    tasks.watch_market(subscription.market_id)

    comes_back(trader, backup)

    guard = Order.objects.get(leg=GUARD)
    assert guard.state == Order.State.OPEN
    assert guard.stop_price is not None
    assert guards.is_kept(Subscription.objects.with_names().get(pk=subscription.pk), timezone.now())


def test_a_position_that_was_opened_and_stopped_out_since_is_none(trader: Trader) -> None:
    subscription = one_minute(trader, risk_config={"stop_loss_percent": 5.0})
    backup = Backup()
    place(subscription)
    tasks.watch_market(subscription.market_id)
    # below the stop, and below what the resting order still sells at
    trader.control("price", pair=PAIR, price="50000")
    tasks.watch_market(subscription.market_id)

    comes_back(trader, backup)

    assert position_of(subscription).base_amount < subscription.market.amount_step
    assert position_of(subscription).realized_pnl < 0


def test_what_was_sold_on_stopping_since_is_adopted(trader: Trader) -> None:
    subscription = one_minute(trader)
    place(subscription)
    backup = Backup()
    sell_and_stop(subscription=subscription)
    tasks.watch_market(subscription.market_id)
    assert Order.objects.get(leg=CLOSE).state == Order.State.FILLED

    comes_back(trader, backup)

    assert Order.objects.get(leg=CLOSE).state == Order.State.FILLED
    assert position_of(subscription).base_amount < subscription.market.amount_step


def test_an_order_that_the_backup_had_not_seen_leave_is_adopted(trader: Trader) -> None:
    subscription = one_minute(trader)
    order = place(subscription)
    expected = books()
    Fill.objects.all().delete()
    Position.objects.update(
        quote_balance=subscription.allocated_capital, base_amount=0, cost_basis=0, fees_paid=0
    )
    unsent = {"state": Order.State.NEW, "exchange_order_id": "", "sent_at": None, "send_by": None}
    Order.objects.filter(pk=order.pk).update(**unsent)

    done = run(trader)

    assert (books(), done.fits) == (expected, True)


def test_an_order_that_was_in_flight_ends_as_the_exchange_says(trader: Trader) -> None:
    subscription = one_minute(trader)
    lose_the_answer(trader, when="after")
    order = place(subscription)
    assert order.state == Order.State.UNKNOWN

    done = run(trader)

    order.refresh_from_db()
    assert (order.state, done.fits) == (Order.State.FILLED, True)


def test_while_an_orders_fate_is_unknown_the_account_does_not_fit(trader: Trader) -> None:
    subscription = one_minute(trader)
    lose_the_answer(trader, when="before")
    order = place(subscription)
    let_pass(order)

    first = run(trader)
    let_pass(order)
    second = run(trader)

    order.refresh_from_db()
    assert (first.fits, second.fits, order.state) == (False, True, Order.State.NOT_SENT)


def test_restoring_twice_adopts_once(trader: Trader) -> None:
    subscription = one_minute(trader, risk_config={"stop_loss_percent": 5.0})
    backup = Backup()
    place(subscription)
    tasks.watch_market(subscription.market_id)
    first = comes_back(trader, backup)
    expected = books()

    again = run(trader)

    assert (len(first.adopted), again.adopted, again.fits) == (2, [], True)
    assert books() == expected


class Killed(BaseException):
    pass


@contextmanager
def killed_at_write(number: int) -> Iterator[None]:
    """Have the process end before its so-many-th change of the database."""
    writes = 0

    def die(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        nonlocal writes
        writes += sql.startswith(("INSERT", "UPDATE"))
        if writes == number:
            raise Killed
        return execute(sql, *arguments)

    with connection.execute_wrapper(die):
        yield


def test_whoever_is_killed_in_the_middle_goes_on_where_it_was(trader: Trader) -> None:
    subscription = one_minute(trader, risk_config={"stop_loss_percent": 5.0})
    place(subscription, age=1)
    backup = Backup()
    place(subscription)
    tasks.watch_market(subscription.market_id)
    expected = books()
    backup.come_back()

    kills = 0
    for number in range(
        1 + EXCHANGES.index(trader.exchange), 100, len(EXCHANGES)
    ):  # each write at one of them
        try:
            with killed_at_write(number):
                run(trader)
            break
        except Killed:
            kills += 1

    assert kills >= 3
    assert books() == expected
    assert run(trader).fits


def test_what_a_person_traded_is_not_adopted(trader: Trader) -> None:
    subscription = one_minute(trader)
    position_of(subscription)
    holds(trader, USDT="3000", BTC="1")
    numbers = [by_hand(trader)]
    foreign = uuid.uuid5(uuid.NAMESPACE_URL, "somebody else's program")
    report = trader.trading().create_market_order(PAIR, "BUY", AMOUNT, str(foreign))

    done = run(trader)

    assert done.reconciled is not None
    noted = [(finding.kind, finding.subject) for finding in done.reconciled.findings]
    assert sorted(noted) == sorted(
        (Kind.MANUAL_TRADE, number) for number in [*numbers, report.exchange_order_id]
    )
    assert (done.adopted, done.strange, done.fits) == ([], [], True)
    assert not Order.objects.exists()
    assert position_of(subscription).holding == Holding.start(subscription.allocated_capital)


def test_an_open_order_of_a_subscription_that_is_lost_does_not_fit(trader: Trader) -> None:
    subscription = one_minute(trader)
    lost = str(client_order_id(subscription.pk + 1, timezone.now().replace(second=0, microsecond=0)))
    report = trader.trading().create_limit_order(PAIR, "BUY", AMOUNT, Decimal(10_000), lost)

    done = run(trader)
    trader.trading().cancel_order(report.exchange_order_id)
    after_canceling = run(trader)

    assert (done.fits, len(done.strange)) == (False, 1)
    assert report.exchange_order_id in done.strange[0]
    assert after_canceling.fits


def test_a_new_subscription_does_not_inherit_the_orders_of_a_lost_one_of_its_number(trader: Trader) -> None:
    subscription = one_minute(trader)
    place(subscription)
    for model in (Fill, Order, Cycle, Position):
        model._default_manager.all().delete()
    Subscription.objects.filter(pk=subscription.pk).update(created_at=timezone.now() + timedelta(minutes=5))

    assert run(trader).adopted == []


def test_all_trading_is_halted_and_stays_so(trader: Trader) -> None:
    subscription = one_minute(trader)

    run(trader)
    order = place(subscription)

    switch = platform_switch()
    assert switch is not None
    assert (switch.state, switch.reason, switch.changed_by) == (TradingState.HALTED, HALTED, None)
    assert order.state == Order.State.NOT_SENT
    assert trader.orders() == []


def test_a_halt_of_staff_keeps_its_reason(trader: Trader, mona: User) -> None:
    set_platform_state(state=TradingState.HALTED, reason="The disk broke.", by=mona)

    list(restore(since=an_hour_ago()))

    switch = platform_switch()
    assert switch is not None
    assert (switch.reason, switch.changed_by) == ("The disk broke.", mona)


def test_an_account_that_cannot_be_asked_holds_no_other_up(simulator: Simulator) -> None:
    first, second = simulator.trader("BINANCE"), simulator.trader("KRAKEN")
    for each in (first, second):
        one_minute(each)
    first.control("account", key=first.credentials.api_key, is_revoked=True)

    refused, other = restore(since=an_hour_ago())

    assert (refused.fits, other.fits) == (False, True)
    assert "BINANCE" in refused.problem


@pytest.mark.parametrize("ago", [LONGEST + timedelta(minutes=1), -timedelta(minutes=1)])
def test_a_moment_out_of_reach_changes_nothing(ago: timedelta) -> None:
    with pytest.raises(RestoreError, match="of the last 31 days"):
        restore(since=timezone.now() - ago)

    assert platform_switch() is None


def restored(since: str | None = None) -> str:
    out = StringIO()
    call_command("restored", "--since", since or an_hour_ago().isoformat(), stdout=out)
    return out.getvalue()


def test_the_command_tells_what_it_adopted_and_how_to_go_on(trader: Trader) -> None:
    subscription = one_minute(trader)
    backup = Backup()
    place(subscription)
    backup.come_back()

    said, again = restored(), restored()

    assert "adopted         Buy 0.002 BTC, filled" in said
    assert "All accounts fit: 1. Trading is halted until you choose Trading at /staff/trading/." in said
    assert "adopted" not in again


def test_the_command_fails_while_something_does_not_fit(trader: Trader) -> None:
    one_minute(trader)
    holds(trader, USDT="1")

    with pytest.raises(CommandError, match="Accounts that do not fit: 1 of 1"):
        restored()


@pytest.mark.parametrize("since", ["yesterday", "2026-01-31T04:00"])
def test_the_command_wants_a_moment_with_its_time_zone(since: str) -> None:
    with pytest.raises(CommandError, match="with its time zone"):
        restored(since)
