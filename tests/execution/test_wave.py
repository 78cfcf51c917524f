from datetime import datetime, timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection, connections
from django.utils import timezone

from bot_sdk.risk import SkipReason
from bot_sdk.timeframes import last_closed
from bots.models import Bot, BotVersion
from bots.storage import code_key
from exchanges.gateways import public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import Market
from execution import wave
from execution.cycle import MarketView, view_market
from execution.models import Cycle, Order, Position
from execution.orders import position_of
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.factories import make_bot, make_cycle, make_order, make_subscription

pytestmark = pytest.mark.django_db

HEADER = "from bot_sdk import Action, CustomBot\nclass Bot(CustomBot):\n"
SELLING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): return Action('SELL', 1.0, 'sells')\n"
SLEEPING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): import time; time.sleep(600)\n"
RAISING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): return 1 / 0\n"


@pytest.fixture
def market(simulated_exchange: str) -> Market:
    refresh_markets("BINANCE")
    return Market.objects.get(exchange="BINANCE", trading_pair="BTC/USDT")


@pytest.fixture
def opened_at() -> datetime:
    return last_closed("1h", timezone.now())


@pytest.fixture
def view(market: Market, opened_at: datetime) -> MarketView:
    return view_market(market, "1h", opened_at, public_gateway("BINANCE"))


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the newest hourly candle count as just closed, whenever the test runs."""
    monkeypatch.setattr("execution.cycle.FRESH_SHARE_OF_CANDLE", 1.0)


def decide(view: MarketView, *subscriptions: Subscription) -> list[Cycle]:
    cycles = wave.claim(subscriptions, view.timeframe, view.opened_at)
    wave.decide_all(view, cycles)
    return [Cycle.objects.get(pk=cycle.pk) for cycle in cycles]


def swap_code(subscription: Subscription) -> None:
    key = code_key(subscription.version)
    storages["artifacts"].delete(key)
    storages["artifacts"].save(key, ContentFile(b"print('swapped')"))


def hourly(market: Market, **overrides: Any) -> Subscription:
    return make_subscription(market=market, timeframe="1h", **overrides)


def test_a_bots_wish_to_buy_becomes_a_fill_and_a_position(view: MarketView, fresh: None) -> None:
    subscription = hourly(view.market)

    [cycle] = decide(view, subscription)

    assert (cycle.verdict, cycle.action, cycle.signal_action, cycle.skip) == ("OK", "BUY", "BUY", "")
    assert cycle.reason == "always buys"
    assert cycle.order.state == Order.State.FILLED
    position = position_of(subscription)
    assert 0 < position.cost_basis - position.fees_paid <= subscription.allocated_capital / 10
    assert cycle.equity == position.quote_balance + position.base_amount * view.ticker.last


def test_a_bot_that_raises_stops_nobody_else(view: MarketView, fresh: None) -> None:
    broken = hourly(view.market, bot=make_bot(code=RAISING_BOT))
    healthy = hourly(view.market)

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


def test_code_that_is_not_what_was_published_does_not_run(view: MarketView, fresh: None) -> None:
    subscription = hourly(view.market)
    swap_code(subscription)

    [cycle] = decide(view, subscription)

    assert (cycle.verdict, cycle.skip) == ("UNAVAILABLE", SkipReason.PLATFORM_ERROR)
    assert "not what was published" in cycle.message
    assert not Order.objects.exists()


def test_a_stop_sells_although_the_bots_code_cannot_be_read(view: MarketView, fresh: None) -> None:
    subscription = hourly(view.market)
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


def test_only_active_subscriptions_of_running_versions_are_due(opened_at: datetime) -> None:
    active = make_subscription(timeframe="1h")
    lifecycle.pause(subscription=make_subscription(timeframe="1h"))
    make_subscription(timeframe="1m")
    pulled = make_subscription(timeframe="1h")
    BotVersion.objects.filter(pk=pulled.version_id).update(state=BotVersion.State.PULLED)
    suspended = make_subscription(timeframe="1h")
    Bot.objects.filter(pk=suspended.bot_id).update(state=Bot.State.SUSPENDED)
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
    order = make_order(cycle, state=Order.State.SENDING)
    running = make_cycle(make_subscription(), state=Cycle.State.RUNNING)

    assert wave.sweep(timezone.now()) == 1

    for row in (cycle, order, running):
        row.refresh_from_db()
    assert (cycle.state, order.state) == (Cycle.State.INTERRUPTED, Order.State.NOT_SENT)
    assert running.state == Cycle.State.RUNNING
