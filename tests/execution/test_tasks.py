"""The tasks on a real worker and a real broker."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django.fixtures import Settings

from accounts.models import Notification
from bot_sdk.timeframes import TIMEFRAMES
from exchanges import gateways
from exchanges.markets import refresh_markets
from exchanges.models import Market
from exchanges.simulator.server import serve
from execution import schedule, tasks
from execution.alarms import Trouble
from execution.models import Cycle, Order
from marketplace import celery_app
from subscriptions.models import Subscription
from tests.exchanges.simulated import Simulator
from tests.factories import make_cycle, make_exchange_account, make_market, make_subscription

PATIENCE_SECONDS = 60
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def market(transactional_db: None, simulated_exchange: str, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", 2.0)
    refresh_markets("BINANCE")
    return Market.objects.get(exchange="BINANCE", trading_pair="BTC/USDT")


@pytest.fixture
def worker(market: Market) -> Iterator[None]:
    celery_app.control.purge()
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    with start_worker(celery_app, pool="solo", perform_ping_check=False):
        yield
    # it has set both for a process of its own, where no test comes after it
    root.setLevel(level)
    root.handlers[:] = handlers


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


@pytest.mark.parametrize("exchange", ["BINANCE", "COINBASE", "KRAKEN"])
def test_a_tick_trades_at_every_exchange_on_paper_and_on_an_account(
    market: Market, worker: None, simulated_exchange: str, settings: Settings, exchange: str
) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    refresh_markets(exchange)
    own = Market.objects.get(exchange=exchange, trading_pair="BTC/USDT")
    trader = Simulator(simulated_exchange).trader(exchange)
    account = make_exchange_account(
        exchange=exchange,
        environment="LIVE",
        api_key=trader.credentials.api_key,
        secret=trader.credentials.secret,
    )
    make_subscription(market=own, timeframe="1h")
    real = make_subscription(account.owner, account=account, market=own, timeframe="1h")

    tasks.tick.delay("1h")

    eventually(lambda: Cycle.objects.filter(state=Cycle.State.DONE).count() == 2)
    told = list(Cycle.objects.values_list("message", flat=True))
    assert list(Order.objects.values_list("state", flat=True)) == [Order.State.FILLED] * 2, told
    [placed] = trader.orders()
    assert Decimal(placed["filled"]) == Order.objects.get(subscription=real).amount


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


def test_a_market_whose_exchange_has_no_room_comes_back_later(market: Market, worker: None) -> None:
    make_subscription(market=market, timeframe="1h")
    gateways.shared_budget("BINANCE").halt(6)

    tasks.tick.delay("1h")
    time.sleep(2.5)  # the task has come, and gone again
    had_none = not Cycle.objects.exists()

    eventually(done)
    assert had_none
    assert Order.objects.get().state == Order.State.FILLED


def test_a_market_without_room_until_its_candle_is_stale_is_told_on_the_cycle(
    market: Market, worker: None
) -> None:
    make_subscription(market=market, timeframe="1h")
    gateways.shared_budget("BINANCE").halt(3 * 3600)

    tasks.tick.delay("1h")

    eventually(done)
    assert Cycle.objects.get().skip == "exchange_unavailable"


def test_a_worker_that_cannot_confine_bots_stops_and_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "celery", "-A", "marketplace", "worker", "--pool", "solo"]
    environment = os.environ | {"BOT_RUNTIME_DIR": str(tmp_path)}

    worker = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )

    assert worker.returncode != 0
    assert "Bots cannot be confined here" in worker.stderr
    assert "Install bubblewrap" in worker.stderr


@pytest.mark.django_db
def test_a_sweep_task_ends_lost_cycles() -> None:
    cycle = make_cycle(make_subscription(), state=Cycle.State.RUNNING, lease_until=timezone.now())

    tasks.sweep()

    cycle.refresh_from_db()
    assert cycle.state == Cycle.State.INTERRUPTED


def test_a_tick_whose_message_was_lost_is_made_up_for_by_the_sweep(market: Market, worker: None) -> None:
    make_subscription(market=market, timeframe="1h")

    tasks.sweep.delay()

    eventually(done)
    assert Order.objects.get().state == Order.State.FILLED


@pytest.mark.django_db
def test_the_schedule_has_one_tick_per_timeframe_and_keeps_what_staff_changed() -> None:
    schedule.install()
    PeriodicTask.objects.filter(name="Tick 1m").update(enabled=False)

    schedule.install()

    ticks = PeriodicTask.objects.filter(task="execution.tasks.tick")
    assert {task.args for task in ticks} == {f'["{timeframe}"]' for timeframe in TIMEFRAMES}
    assert not ticks.get(name="Tick 1m").enabled


@pytest.mark.parametrize(
    ("exchange", "ahead", "is_told"),
    [("BINANCE", 0, False), ("BINANCE", 3, True), ("COINBASE", -3, True), ("KRAKEN", 3, True)],
)
def test_a_wrong_clock_is_told_to_the_operator(
    settings: Settings, caplog: pytest.LogCaptureFixture, exchange: str, ahead: int, is_told: bool
) -> None:
    with serve(clock=lambda: timezone.now() - timedelta(seconds=ahead)) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        gateways.public_gateway.cache_clear()
        tasks.check_clock(exchange)
    gateways.public_gateway.cache_clear()

    assert ("clock-is-wrong" in caplog.text) == is_told


def test_what_trades_on_a_market_that_is_gone_pauses_and_people_are_told(
    market: Market, published: list[tuple[str, list[Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    gone = make_market(trading_pair="GONE/USDT", refreshed_at=timezone.now() - timedelta(days=1))
    lost, stays = make_subscription(market=gone), make_subscription(market=market)

    for _ in range(2):
        tasks.refresh_markets("BINANCE")

    lost.refresh_from_db()
    stays.refresh_from_db()
    assert (lost.state, stays.state) == (Subscription.State.PAUSED, Subscription.State.ACTIVE)
    assert "not listed any more" in lost.state_reason
    assert published == []
    assert [each.person for each in Notification.objects.all()] == [lost.trader]
    assert caplog.text.count(str(Trouble.MARKET_IS_GONE)) == 1
