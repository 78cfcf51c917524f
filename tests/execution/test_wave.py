"""None"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Thread

import pytest
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.db import connection, connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from bot_sdk.action import Action
from bot_sdk.risk import SkipReason
from bots import publishing
from bots.models import Bot, BotVersion
from exchanges.gateways import public_gateway
from exchanges.models import Candle, Market
from execution import tasks, wave
from execution.concluding import conclude_all
from execution.cycle import MarketMoment, MarketView, view_market
from execution.deciding import Decided
from execution.models import Cycle, Order, Position
from execution.orders import position_of
from execution.sandbox import Run, Verdict
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.execution.test_settling import simulator
from tests.execution.waves import (
    CHOOSING_BOT,
    HEADER,
    RAISING_BOT,
    SELLING_BOT,
    SLEEPING_BOT,
    at_each_exchange,
    decide,
    hourly,
    hourly_at_exchange,
    market,
    opened_at,
    swap_code,
    view,
)
from tests.factories import make_bot, make_cycle, make_order, make_subscription

__all__ = ["hourly_at_exchange", "market", "opened_at", "simulator", "view"]  # fixtures

pytestmark = pytest.mark.django_db


@at_each_exchange
def test_a_bots_wish_to_buy_becomes_a_fill_and_a_position(
    view: MarketView, fresh: None, hourly_at_exchange: Callable[..., Subscription]
) -> None:
    bot = make_bot()
    for subscription in (hourly(view.market, bot=bot), hourly_at_exchange(view.market, bot=bot)):
        [cycle] = decide(view, subscription)

        assert (cycle.verdict, cycle.action, cycle.signal_action, cycle.skip) == ("OK", "BUY", "BUY", "")
        assert cycle.reason == "always buys"
        assert cycle.order.state == Order.State.FILLED
        position = position_of(subscription)
        assert 0 < position.cost_basis - position.fees_paid <= subscription.allocated_capital / 10
        assert cycle.equity == position.quote_balance + position.base_amount * view.ticker.last


@at_each_exchange
def test_a_bot_that_raises_stops_nobody_else(
    view: MarketView, fresh: None, hourly_at_exchange: Callable[..., Subscription]
) -> None:
    broken = hourly_at_exchange(view.market, bot=make_bot(code=RAISING_BOT))
    healthy = hourly_at_exchange(view.market)

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, broken, healthy)}

    failed = cycles[broken.pk]
    assert (failed.verdict, failed.skip, failed.signal_action) == ("FAILED", SkipReason.BOT_FAILED, "HOLD")
    assert "ZeroDivisionError" in failed.message
    assert "line 3" in failed.message
    assert not Order.objects.filter(subscription=broken).exists()
    assert cycles[healthy.pk].order.state == Order.State.FILLED


def test_selling_without_a_position_is_skipped_with_the_reason(view: MarketView, fresh: None) -> None:
    [cycle] = decide(view, hourly(view.market, bot=make_bot(code=SELLING_BOT)))

    assert (cycle.action, cycle.signal_action, cycle.skip) == ("SELL", "HOLD", SkipReason.NO_POSITION)
    assert not Order.objects.exists()


def test_a_candle_that_closed_too_long_ago_is_not_decided(
    view: MarketView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", 0.0)

    [cycle] = decide(view, hourly(view.market))

    assert (cycle.state, cycle.verdict, cycle.skip) == (Cycle.State.DONE, "", SkipReason.STALE_CANDLE)
    assert not Order.objects.exists()


def test_a_bot_that_never_answers_ends_before_its_signal_is_stale(
    view: MarketView, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds_ago = (timezone.now() - view.opened_at).total_seconds() - 3600
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", (seconds_ago + 8) / 3600)
    sleeping = hourly(view.market, bot=make_bot(code=SLEEPING_BOT))
    healthy = hourly(view.market)

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, sleeping, healthy)}

    assert cycles[sleeping.pk].verdict == "TIMED_OUT"
    assert cycles[healthy.pk].order.state == Order.State.FILLED


def test_code_that_is_not_what_was_published_does_not_run_until_staff_have_looked(
    view: MarketView, fresh: None, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = hourly(view.market)
    swap_code(subscription)

    [cycle] = decide(view, subscription)

    assert (cycle.verdict, cycle.skip) == ("UNAVAILABLE", SkipReason.PLATFORM_ERROR)
    assert "not what was published" in cycle.message
    assert not Order.objects.exists()
    version = BotVersion.objects.get()
    assert version.state == BotVersion.State.QUARANTINED
    assert "not what was published" in version.state_reason
    assert "file-was-changed" in caplog.text


@at_each_exchange
def test_a_stop_sells_although_the_bots_code_cannot_be_read(
    view: MarketView, fresh: None, hourly_at_exchange: Callable[..., Subscription]
) -> None:
    subscription = hourly_at_exchange(view.market)
    double = 2 * view.ticker.last
    Position.objects.create(
        subscription=subscription, quote_balance=0, base_amount=Decimal("0.01"), cost_basis=double / 100
    )
    swap_code(subscription)

    [cycle] = decide(view, subscription)

    assert (cycle.verdict, cycle.signal_source, cycle.signal_action) == ("UNAVAILABLE", "stop_loss", "SELL")
    assert cycle.order.state == Order.State.FILLED
    assert position_of(subscription).base_amount == 0


@pytest.mark.django_db(transaction=True)
def test_an_error_of_ours_ends_one_cycle_and_no_other(view: MarketView, fresh: None) -> None:
    # more than the column of equity holds, once it is valued
    rich, other = hourly(view.market), hourly(view.market)
    Position.objects.create(
        subscription=rich, quote_balance=0, base_amount=Decimal(10**19), cost_basis=Decimal(10**19)
    )

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, rich, other)}

    assert (cycles[rich.pk].state, cycles[rich.pk].skip) == (Cycle.State.DONE, SkipReason.PLATFORM_ERROR)
    assert cycles[other.pk].order.state == Order.State.FILLED


def test_a_cycle_that_another_worker_took_over_is_left_alone(view: MarketView, fresh: None) -> None:
    subscription = hourly(view.market)
    cycles = wave.claim([subscription], view.timeframe, view.opened_at)
    Cycle.objects.update(state=Cycle.State.INTERRUPTED)

    wave.decide_all(view, cycles)

    assert Cycle.objects.get().state == Cycle.State.INTERRUPTED
    assert not Order.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", [Cycle.State.DONE, Cycle.State.INTERRUPTED])
def test_an_error_of_ours_changes_no_cycle_that_has_ended_elsewhere(
    view: MarketView, fresh: None, state: str
) -> None:
    subscription = hourly(view.market)
    cycles = wave.claim([subscription], view.timeframe, view.opened_at)
    Cycle.objects.update(state=state, signal_action="BUY", message="what another worker wrote")
    subscription.risk_config = {"stop_loss_percent": "none that there is"}

    conclude_all(view.moment, [Decided(cycles, Run(Verdict.OK, Action("HOLD", 1.0, "holds")))])

    cycle = Cycle.objects.get()
    assert (cycle.state, cycle.signal_action) == (state, "BUY")
    assert (cycle.message, cycle.skip) == ("what another worker wrote", "")


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_breaks_while_bots_run_costs_no_cycle(view: MarketView, fresh: None) -> None:
    subscriptions = [hourly(view.market) for _ in range(2)]
    cycles = wave.claim(subscriptions, view.timeframe, view.opened_at)
    break_connection()

    conclude_all(view.moment, [Decided(cycles, Run(Verdict.OK, Action("BUY", 1.0, "buys")))])

    assert [order.state for order in Order.objects.all()] == [Order.State.FILLED] * 2
    assert {cycle.signal_action for cycle in Cycle.objects.filter(state=Cycle.State.DONE)} == {"BUY"}


def break_connection() -> None:
    """Do to this thread's connection what a server does that restarts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    other.close()


def test_only_active_subscriptions_are_due(opened_at: datetime) -> None:
    active = make_subscription(timeframe="1h")
    lifecycle.pause(subscription=make_subscription(timeframe="1h"))
    make_subscription(timeframe="1m")
    wave.claim([make_subscription(timeframe="1h")], "1h", opened_at)

    assert list(wave.due("1h", opened_at)) == [active]
    assert wave.due_markets("1h", opened_at) == [active.market_id]


def test_claiming_twice_gives_each_cycle_to_one(opened_at: datetime) -> None:
    subscription = make_subscription(timeframe="1h")

    first = wave.claim([subscription], "1h", opened_at)
    second = wave.claim([subscription], "1h", opened_at)

    assert (len(first), len(second)) == (1, 0)


def claims_of_racing_workers(subscription: Subscription, opened_at: datetime) -> int:
    """Let eight workers claim the same candle at once and count the cycles they got."""
    claimed: list[Cycle] = []

    def work() -> None:
        claimed.extend(wave.claim([subscription], "1h", opened_at))
        connections.close_all()

    workers = [Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(claimed)


@pytest.mark.django_db(transaction=True)
def test_racing_workers_get_one_cycle_per_candle(opened_at: datetime) -> None:
    subscription = make_subscription(timeframe="1h")

    assert claims_of_racing_workers(subscription, opened_at) == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_constraint_racing_workers_get_doubles(opened_at: datetime) -> None:
    """The control arm: the promise rests on the database's constraint."""
    subscription = make_subscription(timeframe="1h")
    constraint = next(c for c in Cycle._meta.constraints if c.name == "one_cycle_per_candle")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Cycle, constraint)
    try:
        assert claims_of_racing_workers(subscription, opened_at) > 1
    finally:
        Cycle.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Cycle, constraint)


def test_a_dead_workers_cycle_is_swept_with_its_order(opened_at: datetime) -> None:
    past = timezone.now() - timedelta(seconds=1)
    cycle = make_cycle(make_subscription(), state=Cycle.State.RUNNING, lease_until=past)
    order = make_order(cycle, state=Order.State.SENDING, send_by=past)
    running = make_cycle(make_subscription(), state=Cycle.State.RUNNING)

    assert wave.sweep(timezone.now()) == 1

    for row in (cycle, order, running):
        row.refresh_from_db()
    assert (cycle.state, order.state) == (Cycle.State.INTERRUPTED, Order.State.NOT_SENT)
    assert running.state == Cycle.State.RUNNING


@at_each_exchange
def test_a_limit_of_the_platform_cuts_what_is_bought(
    view: MarketView, fresh: None, settings: Settings, hourly_at_exchange: Callable[..., Subscription]
) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal(5)}
    subscription = hourly_at_exchange(view.market, risk_config={"max_position_size": 50.0})

    [cycle] = decide(view, subscription)

    assert (cycle.signal_action, cycle.order.state) == ("BUY", Order.State.FILLED)
    position = position_of(subscription)
    assert 0 < position.cost_basis - position.fees_paid <= subscription.allocated_capital / 20


@pytest.mark.parametrize("others", [0, 8])
def test_more_subscribers_cost_no_more_queries(
    view: MarketView, fresh: None, others: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bot = make_bot(code=CHOOSING_BOT)
    subscriptions = [hourly(view.market, bot=bot, strategy_config={"length": 1}) for _ in range(2 + others)]
    cycles = wave.claim(subscriptions, "1h", view.opened_at)

    # code, models, who was slow, what is held, earlier orders, the write; and, for what the rules remember,
    # the lock in its savepoint and the write
    with django_assert_num_queries(10):
        wave.decide_all(view, cycles)


def test_a_large_wave_travels_in_batches_and_arrives_whole(
    view: MarketView, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.wave.BATCH", 2)
    bot = make_bot(code=CHOOSING_BOT)
    subscriptions = [hourly(view.market, bot=bot, strategy_config={"length": n % 2}) for n in range(5)]
    messages: list[str] = []

    def post(moment: MarketMoment, batch: list[Decided]) -> None:
        messages.append(json.dumps([moment.to_dict(), [decided.to_dict() for decided in batch]]))

    wave.decide_all(view, wave.claim(subscriptions, "1h", view.opened_at), post)
    for message in [*messages, *messages]:  # delivered twice
        tasks.conclude_batch(*json.loads(message))

    cycles = Cycle.objects.all()
    assert len(messages) == 3
    assert {(cycle.state, cycle.verdict) for cycle in cycles} == {(Cycle.State.DONE, "OK")}
    for cycle in cycles:
        assert cycle.reason == f"length {cycle.subscription.strategy_config['length']}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("message", ["\ud800", "\x00"])
def test_what_cannot_be_written_of_one_cycle_keeps_no_other_from_being_written(
    view: MarketView, fresh: None, message: str
) -> None:
    cycles = wave.claim([hourly(view.market) for _ in range(3)], view.timeframe, view.opened_at)
    holds = Action("HOLD", 1.0, "holds")
    good, bad = Run(Verdict.OK, holds), Run(Verdict.OK, holds, message=message)

    conclude_all(view.moment, [Decided(cycles[:2], good), Decided(cycles[2:], bad)])

    skips = {cycle.pk: cycle.skip for cycle in Cycle.objects.filter(state=Cycle.State.DONE)}
    assert [skips[cycle.pk] for cycle in cycles] == ["", "", "platform_error"]


BUYING_FROM_THREE_ON = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        length = self.config['length']\n"
    "        return Action('BUY' if length >= 3 else 'HOLD', 1.0, f'length {length}')\n"
)


def test_of_a_large_wave_only_the_orders_travel(
    view: MarketView, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.wave.BATCH", 3)
    bot = make_bot(code=BUYING_FROM_THREE_ON)
    subscriptions = [hourly(view.market, bot=bot, strategy_config={"length": n}) for n in range(5)]
    messages: list[str] = []

    def post(moment: MarketMoment, batch: list[Decided]) -> None:
        messages.append(json.dumps([moment.to_dict(), [decided.to_dict() for decided in batch]]))

    cycles = wave.claim(subscriptions, "1h", view.opened_at)
    wave.decide_all(view, cycles, partial(conclude_all, leave_orders=post))

    done = Cycle.objects.filter(state=Cycle.State.DONE)
    assert {cycle.reason for cycle in done} == {"length 0", "length 1", "length 2"}
    assert not Order.objects.exists()
    for message in [*messages, *messages]:  # delivered twice
        tasks.conclude_batch(*json.loads(message))
    assert {order.cycle.reason for order in Order.objects.all() if order.cycle} == {"length 3", "length 4"}
    bought = done.filter(signal_action="BUY")
    assert (done.all().count(), {cycle.reason for cycle in bought}) == (5, {"length 3", "length 4"})


def test_what_is_held_is_read_when_the_bot_has_answered(view: MarketView, fresh: None) -> None:
    subscription = hourly(view.market, risk_config={"stop_loss_percent": 5})
    [cycle] = wave.claim([subscription], "1h", view.opened_at)
    Position.objects.update(quote_balance=0, base_amount=1, cost_basis=2 * view.ticker.last)

    conclude_all(view.moment, [Decided([cycle], Run(Verdict.OK, Action("HOLD", 1.0, "holds")))])

    assert Cycle.objects.get().signal_source == "stop_loss"


def test_a_message_that_comes_again_after_its_order_tells_of_that_order(
    view: MarketView, fresh: None
) -> None:
    subscription = hourly(view.market, bot=make_bot(code=SELLING_BOT))
    [cycle] = wave.claim([subscription], "1h", view.opened_at)
    order = make_order(cycle, side="SELL", state=Order.State.FILLED)
    decided = Decided([Cycle.objects.to_conclude().get()], Run(Verdict.OK, Action("SELL", 1.0, "sells")))

    conclude_all(view.moment, [decided])

    cycle = Cycle.objects.get()
    assert (cycle.state, cycle.signal_action, cycle.skip) == (Cycle.State.DONE, "SELL", "")
    assert Order.objects.get() == order


def test_bots_that_hung_lately_wait_for_all_others(view: MarketView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.deciding.CONFINED_RUNS_AT_ONCE", 1)
    seconds_ago = (timezone.now() - view.opened_at).total_seconds() - 3600
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", (seconds_ago + 8) / 3600)
    hanging = hourly(view.market, bot=make_bot(code=SLEEPING_BOT))
    make_cycle(hanging, age=1, verdict="TIMED_OUT")
    healthy = hourly(view.market)

    wave.decide_all(view, wave.claim([hanging, healthy], "1h", view.opened_at))

    assert Cycle.objects.get(subscription=healthy).verdict == "OK"
    assert Cycle.objects.get(subscription=hanging, candle_opened_at=view.opened_at).verdict == "TIMED_OUT"


def test_a_version_that_does_harm_goes_on_when_all_others_are_decided(
    view: MarketView, fresh: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BOT_EXECUTION_TIMEOUT = 1
    monkeypatch.setattr("execution.deciding.CONFINED_RUNS_AT_ONCE", 1)
    bot = make_bot(code=SLEEPING_BOT)
    healthy = hourly(view.market)
    harmful = [hourly(view.market, bot=bot, strategy_config={"length": length}) for length in range(3)]
    cycles = wave.claim([healthy, *harmful], "1h", view.opened_at)
    handed_on: list[int] = []

    wave.decide_all(
        view,
        sorted(cycles, key=lambda cycle: cycle.subscription_id == healthy.pk),
        lambda _, batch: handed_on.extend(c.subscription_id for each in batch for c in each.cycles),
    )

    assert healthy.pk in handed_on[:2]  # what ends within a moment comes in any order
    assert len(handed_on) == 4


def quarantine(version: BotVersion) -> None:
    publishing.quarantine(version, "It forked.")


def pull(version: BotVersion) -> None:
    publishing.pull(version=version, reason="It forked.")


def suspend_bot(version: BotVersion) -> None:
    Bot.objects.filter(pk=version.bot_id).update(state=Bot.State.SUSPENDED)


@pytest.mark.parametrize(
    ("market", "stop", "skip"),
    [
        ("BINANCE", quarantine, SkipReason.VERSION_QUARANTINED),
        ("COINBASE", pull, SkipReason.BOT_STOPPED),
        ("KRAKEN", suspend_bot, SkipReason.BOT_STOPPED),
    ],
    ids=["quarantine", "pull", "suspend"],
    indirect=["market"],
)
def test_of_what_is_not_run_only_the_stops_act(
    view: MarketView,
    fresh: None,
    hourly_at_exchange: Callable[..., Subscription],
    stop: Callable[[BotVersion], None],
    skip: str,
) -> None:
    bot = make_bot()
    holder, idle = (hourly_at_exchange(view.market, bot=bot) for _ in range(2))
    double = 2 * view.ticker.last
    Position.objects.create(
        subscription=holder, quote_balance=0, base_amount=Decimal("0.01"), cost_basis=double / 100
    )
    stop(holder.version)

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, holder, idle)}

    assert cycles[holder.pk].order.state == Order.State.FILLED
    assert (cycles[holder.pk].signal_source, cycles[holder.pk].verdict) == ("stop_loss", "")
    assert cycles[idle.pk].skip == skip
    assert not Order.objects.filter(subscription=idle).exists()


@at_each_exchange
def test_on_a_window_with_a_long_hole_no_bot_is_asked_and_the_stops_act(
    market: Market, opened_at: datetime, fresh: None, hourly_at_exchange: Callable[..., Subscription]
) -> None:
    bot = make_bot()
    holder, idle = (hourly_at_exchange(market, bot=bot) for _ in range(2))
    gateway = public_gateway(market.exchange)
    whole = view_market(market, "1h", opened_at, gateway)
    hole = (opened_at - timedelta(hours=30), opened_at - timedelta(hours=19))
    Candle.objects.filter(market=market, opened_at__range=hole).delete()
    Position.objects.create(
        subscription=holder,
        quote_balance=0,
        base_amount=Decimal("0.01"),
        cost_basis=2 * whole.ticker.last / 100,
    )

    cycles = {
        each.subscription_id: each
        for each in decide(view_market(market, "1h", opened_at, gateway), holder, idle)
    }

    assert whole.gap == ""
    assert (cycles[idle.pk].skip, cycles[idle.pk].verdict) == (SkipReason.GAPPED_CANDLES, "")
    assert "12 are missing, 12 of them in a row from" in cycles[idle.pk].message
    assert cycles[idle.pk].signal_action == "HOLD"
    assert (cycles[holder.pk].signal_source, cycles[holder.pk].skip) == ("stop_loss", "")


def test_a_run_that_could_not_be_confined_alarms_the_operator_once(
    view: MarketView, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    settings.ADMINS = ["operator@example.com"]
    cache.clear()
    subscriptions = [hourly(view.market) for _ in range(2)]

    for cycle in wave.claim(subscriptions, "1h", view.opened_at):
        conclude_all(view.moment, [Decided([cycle], Run(Verdict.UNAVAILABLE, message="no bwrap"))])

    assert [mail.to for mail in mailoutbox] == [["operator@example.com"]]
    assert "no bwrap" in mailoutbox[0].body
