"""The tasks on a real worker and a real broker."""

import time
from collections.abc import Callable, Iterator

import pytest
from celery.contrib.testing.worker import start_worker
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django.fixtures import Settings

from bot_sdk.timeframes import TIMEFRAMES
from exchanges import gateways
from exchanges.markets import refresh_markets
from exchanges.models import Market
from exchanges.simulator.server import serve
from execution import schedule, tasks
from execution.models import Cycle, Order
from marketplace import celery_app
from tests.factories import make_cycle, make_subscription

PATIENCE_SECONDS = 60


@pytest.fixture
def market(settings: Settings, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    monkeypatch.setattr("execution.orders.FRESH_SHARE_OF_CANDLE", 1.0)
    with serve(port=0, seed=7) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        gateways.public_gateway.cache_clear()
        refresh_markets("BINANCE")
        yield Market.objects.get(exchange="BINANCE", trading_pair="BTC/USDT")
        gateways.public_gateway.cache_clear()


@pytest.fixture
def worker(market: Market) -> Iterator[None]:
    celery_app.control.purge()
    with start_worker(celery_app, pool="solo", perform_ping_check=False):
        yield


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def done() -> bool:
    return Cycle.objects.filter(state=Cycle.State.DONE).exists()


def test_a_tick_trades_for_every_due_subscription(market: Market, worker: None) -> None:
    for _ in range(2):
        make_subscription(market=market, timeframe="1h")

    tasks.tick.delay("1h")

    eventually(lambda: Cycle.objects.filter(state=Cycle.State.DONE).count() == 2)
    assert set(Order.objects.values_list("state", flat=True)) == {Order.State.FILLED}


def test_a_doubled_tick_decides_once(market: Market, worker: None) -> None:
    make_subscription(market=market, timeframe="1h")

    for _ in range(5):
        tasks.tick.delay("1h")
    eventually(done)
    tasks.tick.delay("1h")
    tasks.sweep.delay()
    time.sleep(1)

    assert Cycle.objects.count() == Order.objects.count() == 1


def test_one_subscription_can_be_run_on_demand(market: Market, worker: None) -> None:
    wanted, other = (make_subscription(market=market, timeframe="1h") for _ in range(2))

    tasks.run_bot_logic.delay(wanted.pk)

    eventually(done)
    assert Cycle.objects.get().subscription == wanted
    assert not Cycle.objects.of(other).exists()


def test_a_candle_that_never_comes_is_told_on_the_cycle(
    market: Market, worker: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.tasks.CRAWL_PAUSE_SECONDS", 0)
    settings.EXCHANGE_SIMULATOR_URL = "http://127.0.0.1:9"
    gateways.public_gateway.cache_clear()
    make_subscription(market=market, timeframe="1h")

    tasks.tick.delay("1h")

    eventually(done)
    cycle = Cycle.objects.get()
    assert (cycle.skip, cycle.signal_action) == ("missing_candle", "HOLD")
    assert cycle.message


@pytest.mark.django_db
def test_a_sweep_task_ends_lost_cycles() -> None:
    cycle = make_cycle(make_subscription(), state=Cycle.State.RUNNING, lease_until=timezone.now())

    tasks.sweep()

    cycle.refresh_from_db()
    assert cycle.state == Cycle.State.INTERRUPTED


@pytest.mark.django_db
def test_the_schedule_has_one_tick_per_timeframe_and_keeps_what_staff_changed() -> None:
    schedule.install()
    PeriodicTask.objects.filter(name="Tick 1m").update(enabled=False)

    schedule.install()

    ticks = PeriodicTask.objects.filter(task="execution.tasks.tick")
    assert {task.args for task in ticks} == {f'["{timeframe}"]' for timeframe in TIMEFRAMES}
    assert not ticks.get(name="Tick 1m").enabled
