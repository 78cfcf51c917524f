from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from celery import Celery
from django.conf import settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AnsweredRequest, User
from execution.models import Position, SubscriptionPerformance
from marketplace.celery import app as celery_app
from subscriptions.models import Subscription
from tests.factories import (
    NOON,
    Program,
    make_candles,
    make_cycle,
    make_fill,
    make_market,
    make_order,
    make_subscription,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(bob: User) -> Subscription:
    return make_subscription(bob)


@pytest.fixture
def program(bob: User) -> Program:
    return Program(bob)


def url_of(subscription: Subscription, deed: str) -> str:
    return f"/api/subscriptions/{subscription.pk}/{deed}"


def test_performance_is_the_account_at_the_newest_price(program: Program, subscription: Subscription) -> None:
    make_candles(make_market(), count=2, close=Decimal(61_000))
    Position.objects.create(
        subscription=subscription,
        quote_balance=Decimal("3999.5"),
        base_amount=Decimal("0.1"),
        cost_basis=Decimal("6000.5"),
        fees_paid=Decimal("0.5"),
    )

    told = program.get(url_of(subscription, "performance")).json()

    assert told["quote"] == "USDT"
    assert (told["capital"], told["equity"], told["result"]) == ("10000", "10099.5", "99.5")
    assert told["result_percent"] == "1"
    assert (told["base_amount"], told["average_entry_price"]) == ("0.1", "60005")
    assert (told["price"], told["unrealized_pnl"]) == ("61000", "99.5")
    assert told["price_at"].endswith("Z")
    assert told["measured"] is None


def test_before_the_first_candle_nothing_is_made_up(program: Program, subscription: Subscription) -> None:
    told = program.get(url_of(subscription, "performance")).json()

    assert (told["price"], told["price_at"], told["average_entry_price"]) == (None, None, None)
    assert (told["equity"], told["unrealized_pnl"]) == ("10000", "0")


def test_metrics_come_with_their_definitions_and_say_why_one_is_missing(
    program: Program, subscription: Subscription
) -> None:
    SubscriptionPerformance.objects.create(
        subscription=subscription,
        measured_at=NOON,
        measured_until=NOON,
        metrics={"total_return_percent": 1e-7, "sharpe": None},
        daily={"start_on": "2026-03-01", "equity": [1, 2], "market": [1, 2]},
        trades=0,
        execution={},
    )

    measured = program.get(url_of(subscription, "performance")).json()["measured"]

    metrics = {metric["key"]: metric for metric in measured["metrics"]}
    assert metrics["total_return_percent"]["value"] == "0.0000001"
    assert metrics["total_return_percent"]["unit"] == "percent"
    assert metrics["sharpe"]["value"] is None
    assert "days" in metrics["sharpe"]["missing"]
    assert all(metric["definition"] for metric in metrics.values())
    assert (measured["days"], measured["measured_at"]) == (1, "2026-03-02T12:00:00Z")


def test_trades_are_every_execution_newest_first(program: Program, subscription: Subscription) -> None:
    order = make_order(make_cycle(subscription), source="bot", reason="RSI oversold")
    now = timezone.now()
    old = make_fill(order, trade_id="1", filled_at=now - timedelta(minutes=1), amount=Decimal("0.004"))
    new = make_fill(order, trade_id="2", filled_at=now, amount=Decimal("0.006"))

    found = program.get(url_of(subscription, "trades")).json()

    assert [trade["id"] for trade in found["results"]] == [new.pk, old.pk]
    trade = found["results"][0]
    assert (trade["order_id"], trade["cycle_id"]) == (order.pk, order.cycle_id)
    assert (trade["side"], trade["source"], trade["reason"]) == ("BUY", "bot", "RSI oversold")
    assert (trade["price"], trade["amount"], trade["fee_currency"]) == ("60000", "0.006", "USDT")


def test_the_pages_of_a_list_fit_together(program: Program, subscription: Subscription) -> None:
    order = make_order(make_cycle(subscription))
    fills = [make_fill(order, trade_id=str(number), filled_at=NOON) for number in range(5)]

    first = program.get(url_of(subscription, "trades?page_size=3")).json()
    second = program.get(first["next"]).json()

    shown = [trade["id"] for trade in first["results"] + second["results"]]
    assert shown == [fill.pk for fill in reversed(fills)]
    assert (first["count"], second["next"]) == (5, None)


@pytest.mark.parametrize(("deed", "queries"), [("performance", 3), ("trades", 4)])
def test_more_trades_take_no_more_queries(
    program: Program,
    subscription: Subscription,
    deed: str,
    queries: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_candles(subscription.market, count=3)
    for age in range(3):
        make_fill(make_order(make_cycle(subscription, age=age)))

    with django_assert_num_queries(queries):
        assert program.get(url_of(subscription, deed)).status_code == 200


def queued() -> int:
    with celery_app.connection_for_read() as connection:
        return int(connection.default_channel.client.llen("celery"))


@pytest.fixture
def empty_queue(fresh: None) -> None:
    celery_app.control.purge()


def test_execute_queues_the_newest_closed_candle(
    program: Program, subscription: Subscription, empty_queue: None
) -> None:
    response = program.send(url_of(subscription, "execute"))

    assert response.status_code == 202
    assert response.json()["candle_closed_at"].endswith("00Z")
    assert queued() == 1


def test_execute_with_a_key_runs_once_and_answers_the_same(
    program: Program, subscription: Subscription, empty_queue: None
) -> None:
    other = make_subscription(subscription.trader)
    answers = [program.send(url_of(subscription, "execute"), Idempotency_Key="k") for _ in range(3)]

    assert {response.status_code for response in answers} == {202}
    assert len({response.content for response in answers}) == 1
    assert queued() == 1
    assert program.send(url_of(other, "execute"), Idempotency_Key="k").status_code == 422


def test_a_candle_is_decided_once_and_nothing_runs_while_paused(
    bob: User, subscription: Subscription, empty_queue: None
) -> None:
    with time_machine.travel(NOON + timedelta(minutes=5, seconds=20), tick=False):
        program = Program(bob)
        make_cycle(subscription)
        decided = program.send(url_of(subscription, "execute"))
        Subscription.objects.update(state="PAUSED")
        paused = program.send(url_of(subscription, "execute"))

    assert (decided.status_code, decided.json()["error"]["code"]) == (409, "already_decided")
    assert "12:05 UTC is already decided" in decided.json()["error"]["message"]
    assert (paused.status_code, paused.json()["error"]["code"]) == (409, "not_running")
    assert queued() == 0


def test_execute_takes_no_orders(program: Program, subscription: Subscription, empty_queue: None) -> None:
    response = program.send(url_of(subscription, "execute"), {"action": "BUY"})

    assert response.status_code == 400
    assert queued() == 0


@pytest.fixture
def broker_is_down(fresh: None) -> Iterator[None]:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    Celery(broker="redis://127.0.0.1:1/0", set_as_current=True, broker_transport_options=options)
    yield
    celery_app.set_current()


def test_without_a_broker_the_key_is_not_used_up(
    program: Program, subscription: Subscription, broker_is_down: None
) -> None:
    response = program.send(url_of(subscription, "execute"), Idempotency_Key="k")

    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert not AnsweredRequest.objects.exists()
