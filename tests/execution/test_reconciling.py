"""An account beside our books: what is missing pauses, what a person did is noted, and nothing is traded."""

import logging
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from exchanges.gateways import shared_redis
from exchanges.models import ExchangeAccount
from execution import reconciling, tasks
from execution.invariants import find_breaches
from execution.models import Order, Position, Reconciliation
from execution.orders import position_of
from execution.reconciling import KEPT, Kind, reconcile
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.exchanges.simulated import PAIR, Trader
from tests.execution.test_settling import (
    AMOUNT,
    books_fit,
    lose_the_answer,
    place,
    simulator,
    subscribed,
    trader,
)
from tests.factories import make_exchange_account, make_market, make_subscription

__all__ = ["simulator", "trader"]  # fixtures

pytestmark = pytest.mark.django_db

type Letters = Callable[[], list[EmailMessage]]

State = Subscription.State


@pytest.fixture(autouse=True)
def second_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "SECOND_LOOK_SECONDS", 0)


def account_of(subscription: Subscription) -> ExchangeAccount:
    assert subscription.account is not None
    return ExchangeAccount.objects.select_related("owner").get(pk=subscription.account.pk)


def kinds(subscription: Subscription) -> list[Kind]:
    return [finding.kind for finding in reconcile(account_of(subscription)).findings]


def state_of(subscription: Subscription) -> str:
    subscription.refresh_from_db()
    return subscription.state


def holds(trader: Trader, **balances: str) -> None:
    """Have the account hold this, as after a transfer."""
    trader.control("account", key=trader.credentials.api_key, balances=balances)


def by_hand(trader: Trader, side: str = "SELL") -> str:
    return trader.trading().create_market_order(PAIR, side, AMOUNT, str(uuid4())).exchange_order_id


def at_the_exchange(trader: Trader) -> list[tuple[Any, ...]]:
    return [(order["side"], order["state"], order["filled"]) for order in trader.orders()]


def test_an_account_that_fits_the_books_is_clean(trader: Trader) -> None:
    subscription = subscribed(trader)
    place(subscription)

    done = reconcile(account_of(subscription))

    assert (done.is_judged, done.is_clean, done.findings) == (True, True, [])
    assert state_of(subscription) == State.ACTIVE
    assert account_of(subscription).held["BTC"].total == trader.totals()["BTC"]
    row = Reconciliation.objects.get()
    assert (row.account, row.is_clean, row.is_judged, row.findings) == (subscription.account, True, True, [])


def test_what_a_person_trades_is_noted_once_and_left_alone(trader: Trader) -> None:
    subscription = subscribed(trader)
    place(subscription)
    numbers = [by_hand(trader), by_hand(trader, "BUY")]

    first = reconcile(account_of(subscription))
    again = reconcile(account_of(subscription))

    assert first.is_clean
    assert {finding.subject for finding in first.findings} == set(numbers)
    assert all(finding.kind == Kind.MANUAL_TRADE for finding in first.findings)
    assert any("0.002 BTC were sold by hand" in finding.says for finding in first.findings)
    assert again.findings == []
    assert state_of(subscription) == State.ACTIVE
    assert position_of(subscription).base_amount > 0


def test_an_open_order_of_a_person_is_noted_and_not_touched(trader: Trader) -> None:
    subscription = subscribed(trader)
    trading = trader.trading()
    resting = trading.create_limit_order(PAIR, "BUY", AMOUNT, Decimal(10_000), str(uuid4()))

    done = reconcile(account_of(subscription))

    [finding] = done.findings
    assert (finding.kind, finding.subject) == (Kind.MANUAL_ORDER, resting.exchange_order_id)
    assert done.is_clean
    assert [order.exchange_order_id for order in trading.fetch_open_orders()] == [resting.exchange_order_id]


def test_our_own_open_order_is_no_finding(trader: Trader) -> None:
    subscription = subscribed(trader)
    place(subscription, limit=Decimal(10_000))

    assert kinds(subscription) == []


def test_an_order_whose_time_is_over_is_left_to_who_ends_it(trader: Trader) -> None:
    subscription = subscribed(trader)
    order = place(subscription, limit=Decimal(10_000), expires_at=timezone.now() - timedelta(minutes=1))

    assert kinds(subscription) == []

    order.refresh_from_db()
    assert order.state == Order.State.OPEN
    assert len(trader.trading().fetch_open_orders()) == len(trader.orders()) == 1


def test_coins_that_are_gone_pause_who_counts_on_them(trader: Trader, letters: Letters) -> None:
    subscription = subscribed(trader)
    place(subscription)
    held = position_of(subscription).base_amount
    holds(trader, USDT="10000", BTC="0.0005")
    orders = at_the_exchange(trader)

    done = reconcile(account_of(subscription))

    assert (done.is_clean, done.paused) == (False, [subscription])
    subscription.refresh_from_db()
    missing = f"{(held - Decimal('0.0005')).normalize():f}"
    assert subscription.state_reason == (
        f"The account holds 0.0005 BTC; its bots count on {held.normalize():f} BTC. "
        f"Bring {missing} BTC back, or stop bots that count on it; then resume."
    )
    assert at_the_exchange(trader) == orders  # nothing was ordered to make up for it
    [letter] = letters()
    assert letter.to == [account_of(subscription).owner.email]
    assert subscription.state_reason in letter.body


def test_one_step_may_be_missing_and_no_more(trader: Trader) -> None:
    subscription = subscribed(trader)
    place(subscription)
    held, step = position_of(subscription).base_amount, subscription.market.amount_step

    holds(trader, USDT="10000", BTC=str(held - step))
    assert kinds(subscription) == []

    holds(trader, USDT="10000", BTC=str(held - step - Decimal("1e-8")))
    assert kinds(subscription) == [Kind.SHORT]


@pytest.mark.parametrize(("total", "found"), [("1999.8", []), ("1999.7", [Kind.SHORT])])
def test_a_budget_may_be_off_by_a_ten_thousandth(trader: Trader, total: str, found: list[Kind]) -> None:
    subscription = subscribed(trader)  # with 2000 USDT; least order 5: a cent more may be missing

    holds(trader, USDT=total)

    assert kinds(subscription) == found


def test_all_who_count_on_an_asset_are_paused_and_their_owner_told_once(
    trader: Trader, letters: Letters
) -> None:
    first = subscribed(trader)
    second = subscribed(trader, account=first.account)
    place(first)
    place(second)
    third = subscribed(trader, account=first.account)  # holds no coins
    holds(trader, USDT="10000", BTC="0.003")

    done = reconcile(account_of(first))

    assert {each.pk for each in done.paused} == {first.pk, second.pk}
    assert state_of(third) == State.ACTIVE
    assert len(letters()) == 1
    assert kinds(first) == [Kind.SHORT]
    assert len(letters()) == 1  # they are paused already


def test_a_negative_budget_takes_nothing_from_the_others(trader: Trader) -> None:
    first = subscribed(trader)
    second = subscribed(trader, account=first.account)
    position_of(first)
    Position.objects.filter(subscription=first).update(quote_balance=-5)

    holds(trader, USDT="2000")

    assert kinds(second) == []


def test_coins_of_a_bot_that_was_stopped_are_the_traders_to_sell(trader: Trader) -> None:
    stopped = subscribed(trader)
    running = subscribed(trader, account=stopped.account)
    place(stopped)
    lifecycle.stop(subscription=stopped)
    holds(trader, USDT="10000")

    assert kinds(running) == []
    assert state_of(running) == State.ACTIVE


def test_a_market_that_is_no_longer_listed_keeps_no_other_from_being_judged(trader: Trader) -> None:
    gone = make_market(exchange=trader.exchange, trading_pair="DOGE/USDT")
    first = subscribed(trader, market=gone)
    listed = subscribed(trader, account=first.account)
    holds(trader, USDT="3000")  # of 4000 that both count on

    done = reconcile(account_of(listed))

    assert [finding.kind for finding in done.findings] == [Kind.NOT_LISTED, Kind.SHORT]
    assert "DOGE/USDT" in done.findings[0].subject
    assert {state_of(first), state_of(listed)} == {State.PAUSED}


def test_nothing_is_judged_while_an_orders_fate_is_unknown(trader: Trader) -> None:
    subscription = subscribed(trader)
    lose_the_answer(trader, when="before")
    place(subscription)
    holds(trader, USDT="1")  # would be far too little
    by_hand_before = at_the_exchange(trader)

    done = reconcile(account_of(subscription))

    assert (done.is_judged, done.is_clean) == (False, True)
    assert [finding.kind for finding in done.findings] == [Kind.POSTPONED]
    assert state_of(subscription) == State.ACTIVE
    assert at_the_exchange(trader) == by_hand_before


def test_an_order_whose_answer_was_lost_is_settled_first_and_then_judged(trader: Trader) -> None:
    subscription = subscribed(trader)
    lose_the_answer(trader, when="after")
    order = place(subscription)
    assert order.state == Order.State.UNKNOWN

    done = reconcile(account_of(subscription))

    order.refresh_from_db()
    assert (done.is_judged, done.findings, order.state) == (True, [], Order.State.FILLED)
    assert books_fit(subscription)


def test_an_order_that_fills_between_two_looks_is_not_taken_for_missing_money(trader: Trader) -> None:
    subscription = subscribed(trader)
    holds(trader, USDT="2000")
    trader.control("price", pair=PAIR, price="60000")
    place(subscription, limit=Decimal(59_000))
    account, seen = account_of(subscription), reconciling.Seen()
    trader.control("price", pair=PAIR, price="58000")  # the exchange is ahead of our books

    looks = [reconciling._judge_holdings(account, [subscription.market], seen) for _ in range(2)]

    assert looks == [False, True]
    assert seen.findings == []


def ended(order: Order, state: str) -> None:
    """Have our books believe that the order ended like this."""
    Order.objects.filter(pk=order.pk).update(state=state)


@pytest.mark.parametrize("state", [Order.State.NOT_SENT, Order.State.CANCELED])
def test_an_order_that_lives_on_pauses_and_calls_the_operator(
    trader: Trader, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = subscribed(trader)
    order = place(subscription, limit=Decimal(10_000))
    ended(order, state)

    done = reconcile(account_of(subscription))

    assert [finding.kind for finding in done.findings] == [Kind.ALIVE]
    assert state_of(subscription) == State.PAUSED
    assert "is open at the exchange" in subscription.state_reason
    assert [each.exchange_order_id for each in trader.trading().fetch_open_orders()] == [
        order.exchange_order_id
    ]
    [record] = [record for record in caplog.records if "books-do-not-fit" in record.getMessage()]
    assert record.levelno == logging.CRITICAL


def test_an_order_that_was_executed_after_all_is_booked_and_told(trader: Trader) -> None:
    subscription = subscribed(trader)
    lose_the_answer(trader, when="after")
    order = place(subscription)
    ended(order, Order.State.NOT_SENT)

    done = reconcile(account_of(subscription))

    assert [finding.kind for finding in done.findings] == [Kind.ALIVE]
    assert (done.is_judged, done.is_clean) == (True, False)
    order.refresh_from_db()
    assert order.state == Order.State.FILLED
    assert books_fit(subscription)
    assert position_of(subscription).base_amount > 0
    assert {breach.rule for breach in find_breaches()} <= {"stale is not sent"}  # the hour decides
    assert state_of(subscription) == State.PAUSED


def test_reports_of_an_order_that_just_ended_are_not_taken_for_a_living_one(trader: Trader) -> None:
    subscription = subscribed(trader)
    order = place(subscription, limit=Decimal(10_000))
    trading = trader.trading()
    [report] = trading.fetch_open_orders()
    trading.cancel_order(order.exchange_order_id)
    ended(order, Order.State.CANCELED)
    seen = reconciling.Seen()

    reconciling._judge_open(account_of(subscription), subscription.market, report, trading, seen)

    assert seen.findings == []


def test_the_newest_hundred_are_kept(trader: Trader) -> None:
    subscription = subscribed(trader)
    account, now = account_of(subscription), timezone.now()
    long_ago = [now - timedelta(days=1, minutes=number) for number in range(KEPT + 5)]
    Reconciliation.objects.bulk_create(
        [Reconciliation(account=account, at=at, is_judged=True, is_clean=True) for at in long_ago]
    )

    reconcile(account)

    assert Reconciliation.objects.count() == KEPT
    assert Reconciliation.objects.filter(at__gt=now).exists()


# --- the tasks ----------------------------------------------------------------------------------------


def test_accounts_that_nothing_counts_on_are_not_asked(trader: Trader) -> None:
    subscription = subscribed(trader)
    make_exchange_account()
    make_subscription(account=make_exchange_account(state="REFUSED"))
    make_subscription()
    over = subscribed(trader, account=make_exchange_account())
    lifecycle.stop(subscription=over)

    assert reconciling.accounts_at_stake() == [subscription.account_id]


def test_each_account_has_its_own_task(trader: Trader, published: list[tuple[str, list[Any]]]) -> None:
    ids = [subscribed(trader, account=account).account_id for account in (make_exchange_account(), None)]

    tasks.reconcile_accounts()

    assert published == [("execution.tasks.reconcile_account", [pk]) for pk in ids]


def test_the_task_twice_is_the_task_once(trader: Trader, letters: Letters) -> None:
    subscription = subscribed(trader)
    holds(trader, USDT="1")

    for _ in range(2):
        tasks.reconcile_account(subscription.account_id)

    assert state_of(subscription) == State.PAUSED
    assert len(letters()) == 1


def test_an_account_that_another_worker_compares_is_left_to_it(trader: Trader) -> None:
    subscription = subscribed(trader)

    with shared_redis().lock(f"reconciling:{subscription.account_id}", timeout=10):
        tasks.reconcile_account(subscription.account_id)

    assert not Reconciliation.objects.exists()


def test_a_refused_key_has_the_account_checked(
    trader: Trader, published: list[tuple[str, list[Any]]]
) -> None:
    subscription = subscribed(trader)
    trader.control("account", key=trader.credentials.api_key, is_revoked=True)

    tasks.reconcile_account(subscription.account_id)

    assert published == [("exchanges.tasks.check_account", [subscription.account_id])]
    assert not Reconciliation.objects.exists()


def test_an_exchange_that_does_not_answer_changes_nothing(trader: Trader) -> None:
    subscription = subscribed(trader)
    trader.control("fault", kind="status", status=503, times=50)

    tasks.reconcile_account(subscription.account_id)

    assert not Reconciliation.objects.exists()
    assert state_of(subscription) == State.ACTIVE


def test_workers_that_start_together_have_accounts_compared_once(
    published: list[tuple[str, list[Any]]],
) -> None:
    shared_redis().delete("reconciled-at-start")

    for _ in range(3):
        tasks.reconcile_at_start()

    assert published == [("execution.tasks.reconcile_accounts", [])]
