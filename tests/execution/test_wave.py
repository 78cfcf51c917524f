import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.storage import storages
from django.core.mail import EmailMessage
from django.db import connection, connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from bot_sdk.action import Action
from bot_sdk.parameters import Parameter
from bot_sdk.risk import SkipReason
from bot_sdk.timeframes import last_closed
from bots import publishing
from bots.models import Bot, BotVersion
from exchanges.gateway import SETTLING
from exchanges.gateways import public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import Candle, Market
from execution import strikes, tasks, wave
from execution.concluding import conclude_all
from execution.cycle import MarketMoment, MarketView, view_market
from execution.deciding import Decided
from execution.models import Cycle, Order, Position, Strike
from execution.orders import position_of
from execution.sandbox import Run, Verdict
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.exchanges.simulated import PAIR, Simulator
from tests.execution.test_settling import EXCHANGES, simulator, subscribed
from tests.factories import make_bot, make_cycle, make_order, make_subscription

__all__ = ["simulator"]  # a fixture

pytestmark = pytest.mark.django_db

HEADER = "from bot_sdk import Action, CustomBot\nclass Bot(CustomBot):\n"
SELLING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): return Action('SELL', 1.0, 'sells')\n"
SLEEPING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): import time; time.sleep(600)\n"
RAISING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): return 1 / 0\n"


@pytest.fixture
def market(request: pytest.FixtureRequest, simulator: Simulator) -> Market:
    """A market of the exchange that the test names, or of Binance where it is all one."""
    exchange: str = getattr(request, "param", "BINANCE")
    refresh_markets(exchange)
    return Market.objects.get(exchange=exchange, trading_pair=PAIR)


at_each_exchange = pytest.mark.parametrize("market", EXCHANGES, indirect=True)


@pytest.fixture
def opened_at() -> datetime:
    """The newest hourly candle that exchanges show, at the turn of the hour too."""
    return last_closed("1h", timezone.now() - 2 * SETTLING)


@pytest.fixture
def view(market: Market, opened_at: datetime) -> MarketView:
    return view_market(market, "1h", opened_at, public_gateway(market.exchange))


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the newest hourly candle count as just closed, whenever the test runs and if the hour turns."""
    monkeypatch.setattr("execution.cycle.FRESH_SHARE_OF_CANDLE", 2.0)


def decide(view: MarketView, *subscriptions: Subscription) -> list[Cycle]:
    due = Subscription.objects.filter(pk__in=[each.pk for each in subscriptions]).order_by("pk")
    cycles = wave.claim(due.to_decide(), view.timeframe, view.opened_at)
    wave.decide_all(view, cycles)
    return [Cycle.objects.get(pk=cycle.pk) for cycle in cycles]


def swap_code(subscription: Subscription) -> None:
    code = subscription.version.artifacts.get()
    Path(storages["artifacts"].path(code.key), code.object_version).write_bytes(b"print('swapped')")


def hourly(market: Market, **overrides: Any) -> Subscription:
    """A subscription on paper."""
    return make_subscription(market=market, timeframe="1h", **overrides)


@pytest.fixture
def hourly_at_exchange(simulator: Simulator) -> Callable[..., Subscription]:  # noqa: F811
    """Make a subscription whose orders go to an account of its own at the market's exchange."""

    def make(market: Market, **overrides: Any) -> Subscription:
        return subscribed(simulator.trader(market.exchange), market=market, timeframe="1h", **overrides)

    return make


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
    monkeypatch.setattr("execution.cycle.FRESH_SHARE_OF_CANDLE", 0.0)

    [cycle] = decide(view, hourly(view.market))

    assert (cycle.state, cycle.verdict, cycle.skip) == (Cycle.State.DONE, "", SkipReason.STALE_CANDLE)
    assert not Order.objects.exists()


def test_a_bot_that_never_answers_ends_before_its_signal_is_stale(
    view: MarketView, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds_ago = (timezone.now() - view.opened_at).total_seconds() - 3600
    monkeypatch.setattr("execution.cycle.FRESH_SHARE_OF_CANDLE", (seconds_ago + 3) / 3600)
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
    make_cycle(make_subscription(timeframe="1h"))

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


ASKING_BOT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        return Action('HOLD', 1.0, str(self.get_balance('USDT')))\n"
)
CHOOSING_BOT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        print(self.config['length'], s['risk_config'])\n"
    "        return Action('HOLD', float(self.config['length']), f'length {self.config['length']}')\n"
)
FORBIDDEN_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): import os; os.fork()\n"


def runs_of(cycles: list[Cycle]) -> int:
    """How many runs there were: each took its own time."""
    return len({cycle.bot_seconds for cycle in cycles})


def test_those_who_ask_the_same_share_one_run(view: MarketView, fresh: None) -> None:
    bot = make_bot()
    subscriptions = [hourly(view.market, bot=bot) for _ in range(5)]

    cycles = decide(view, *subscriptions)

    assert runs_of(cycles) == 1
    assert {cycle.is_shared for cycle in cycles} == {True}
    assert {(cycle.action, cycle.reason) for cycle in cycles} == {("BUY", "always buys")}
    assert len({cycle.inputs for cycle in cycles}) == 1
    hashes = {"code", "models", "configuration", "window", "runtime"}
    assert cycles[0].receipt.keys() == hashes | {"runtime_name", "candles"}


def test_sharing_changes_no_decision_and_never_crosses_inputs(view: MarketView, fresh: None) -> None:
    bot = make_bot(code=CHOOSING_BOT)
    risks = [{"stop_loss_percent": 5.0}, {"stop_loss_percent": 6.0}]
    subscriptions = [
        hourly(view.market, bot=bot, strategy_config={"length": length}, risk_config=risk)
        for length in (1, 2, 3)
        for risk in risks
        for _ in range(2)
    ]

    together = decide(view, *subscriptions)
    Cycle.objects.all().delete()
    alone = [decide(view, subscription)[0] for subscription in subscriptions]

    assert runs_of(together) == 6
    for cycle in together:
        twin = next(each for each in alone if each.subscription_id == cycle.subscription_id)
        said = (cycle.action, cycle.value, cycle.reason, cycle.log, cycle.inputs)
        assert said == (twin.action, twin.value, twin.reason, twin.log, twin.inputs)
        assert cycle.reason == f"length {cycle.subscription.strategy_config['length']}"
        assert (cycle.is_shared, twin.is_shared) == (True, False)


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


def test_choices_that_the_platform_makes_equal_share_one_run(
    view: MarketView, fresh: None, settings: Settings
) -> None:
    settings.PLATFORM_RISK_LIMITS = {"stop_loss_percent": Decimal(5)}
    bot = make_bot(code=CHOOSING_BOT)
    subscriptions = [
        hourly(view.market, bot=bot, strategy_config={"length": 1}, risk_config=risk)
        for risk in ({"stop_loss_percent": 9.0}, {"stop_loss_percent": 5.0}, {}, {"stop_loss_percent": 4.0})
    ]

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, *subscriptions)}

    *equal, stricter = [cycles[subscription.pk] for subscription in subscriptions]
    assert runs_of(equal) == len({cycle.inputs for cycle in equal}) == 1
    assert all("{'stop_loss_percent': 5.0}" in cycle.log for cycle in equal)
    assert "{'stop_loss_percent': 4.0}" in stricter.log
    assert stricter.inputs != equal[0].inputs


def test_a_bot_that_asks_about_the_account_is_run_for_each(view: MarketView, fresh: None) -> None:
    bot = make_bot(code=ASKING_BOT)
    subscriptions = [
        hourly(view.market, bot=bot, allocated_capital=Decimal(capital)) for capital in (500, 700, 900)
    ]

    cycles = decide(view, *subscriptions)

    assert runs_of(cycles) == 3
    assert {cycle.subscription_id: cycle.reason for cycle in cycles} == {
        subscription.pk: str(float(subscription.allocated_capital)) for subscription in subscriptions
    }
    assert cycles[0].asked[0]["question"] == "balance"
    assert not any(cycle.is_shared for cycle in cycles)


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
    monkeypatch.setattr("execution.cycle.FRESH_SHARE_OF_CANDLE", (seconds_ago + 4) / 3600)
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


KEEPING_BOT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        import bot_sdk\n"
    "        seen, bot_sdk.seen = getattr(bot_sdk, 'seen', 'nobody'), str(self.config['length'])\n"
    "        return Action('HOLD', 1.0, f'{self.config['length']} after {seen}')\n"
)


@pytest.mark.parametrize(
    ("switches", "processes"), [((True, True), 1), ((True, False), 3), ((False, True), 3)]
)
def test_only_where_allowed_a_stateless_version_answers_for_several_settings(
    view: MarketView,
    fresh: None,
    settings: Settings,
    switches: tuple[bool, bool],
    processes: int,
) -> None:
    bot = make_bot(code=KEEPING_BOT)
    settings.BOT_BATCHES, is_stateless = switches
    BotVersion.objects.update(is_stateless=is_stateless)
    subscriptions = [hourly(view.market, bot=bot, strategy_config={"length": n}) for n in (1, 2, 3)]

    cycles = decide(view, *subscriptions)

    assert {cycle.verdict for cycle in cycles} == {"OK"}
    assert sum("after nobody" in cycle.reason for cycle in cycles) == processes


@pytest.mark.parametrize("trouble", ["self.get_balance('USDT')", "1 / (self.config['length'] - 2)"])
def test_what_a_batch_does_not_answer_is_asked_alone(
    view: MarketView, fresh: None, settings: Settings, trouble: str
) -> None:
    settings.BOT_BATCHES = True
    code = (
        HEADER
        + f"    def execute_algorithm(self, d, t, s=None):\n        {trouble}\n"
        + "        return Action('HOLD', 1.0, str(self.config['length']))\n"
    )
    bot = make_bot(code=code)
    BotVersion.objects.update(is_stateless=True)
    subscriptions = [hourly(view.market, bot=bot, strategy_config={"length": n}) for n in (1, 2, 3)]

    cycles = {cycle.subscription_id: cycle for cycle in decide(view, *subscriptions)}

    expected = ["OK", "OK", "OK"] if "balance" in trouble else ["OK", "FAILED", "OK"]
    assert [cycles[subscription.pk].verdict for subscription in subscriptions] == expected


def strike(subscription: Subscription, candles: int) -> None:
    for age in range(candles):
        closed_at = timezone.now() - timedelta(hours=age)
        strikes.count([subscription], Run(Verdict.FORBIDDEN, message="It forked."), closed_at)


def test_three_strikes_put_a_version_in_quarantine(view: MarketView, fresh: None) -> None:
    subscription = hourly(view.market, bot=make_bot(code=FORBIDDEN_BOT))
    strike(subscription, 2)

    [third] = decide(view, subscription)
    subscription.version.refresh_from_db()

    assert third.verdict == Verdict.FORBIDDEN
    assert subscription.version.state == BotVersion.State.QUARANTINED
    assert "A bot is one process" in subscription.version.state_reason
    assert not Bot.objects.published().filter(pk=subscription.bot_id).exists()


def test_a_retired_version_stops_too_and_is_not_offered_again_by_its_release(
    view: MarketView, fresh: None
) -> None:
    subscription = hourly(view.market, bot=make_bot(code=FORBIDDEN_BOT))
    publishing.retire(version=subscription.version)
    strike(subscription, 3)

    version = BotVersion.objects.get()
    assert version.state == BotVersion.State.QUARANTINED

    assert publishing.release(version)
    assert BotVersion.objects.get().state == BotVersion.State.RETIRED


@pytest.mark.parametrize(
    "run",
    [
        Run(Verdict.OK),
        Run(Verdict.FAILED),
        Run(Verdict.UNAVAILABLE),
        Run(Verdict.TIMED_OUT, seconds=1.0, cpu_seconds=1.0),  # it began too late
    ],
)
def test_what_is_no_strike(run: Run) -> None:
    subscription = make_subscription()
    for age in range(5):
        strikes.count([subscription], run, timezone.now() - timedelta(hours=age))

    assert not Strike.objects.exists()


def test_one_traders_settings_are_no_strike_but_two_traders_are() -> None:
    bot = make_bot(parameters=[Parameter("length", "integer", 5, label="Length", minimum=1, maximum=10**9)])
    odd = [make_subscription(bot=bot, strategy_config={"length": 10**9}) for _ in range(2)]

    strikes.count(odd[:1], Run(Verdict.OUT_OF_MEMORY), timezone.now())
    assert not Strike.objects.exists()

    strikes.count(odd, Run(Verdict.OUT_OF_MEMORY), timezone.now())
    assert Strike.objects.exists()


def test_a_bot_that_spins_is_a_strike_by_its_processor_time() -> None:
    strikes.count([make_subscription()], Run(Verdict.TIMED_OUT, seconds=7.0, cpu_seconds=6.0), timezone.now())

    assert Strike.objects.exists()


def test_many_runs_on_one_candle_are_one_strike(opened_at: datetime) -> None:
    subscription = make_subscription()
    for _ in range(5):
        strikes.count([subscription], Run(Verdict.CRASHED), opened_at)

    subscription.version.refresh_from_db()
    assert subscription.version.state == BotVersion.State.PUBLISHED


def test_strikes_from_before_a_release_do_not_count() -> None:
    subscription = make_subscription()
    strike(subscription, 3)
    publishing.release(BotVersion.objects.get(pk=subscription.version_id))

    subscription = Subscription.objects.get()
    version = subscription.version
    strikes.count([subscription], Run(Verdict.CRASHED), timezone.now() + timedelta(hours=1))

    version.refresh_from_db()
    assert (version.state, version.state_reason) == (BotVersion.State.PUBLISHED, "")


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
