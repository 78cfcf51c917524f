"""A backtest from its request to its report: real candles over HTTP, the real sandbox, the real database."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from bots.models import BotVersion
from exchanges import gateways
from exchanges.errors import ExchangeUnavailable
from exchanges.gateways import shared_budget, shared_redis
from exchanges.markets import refresh_markets
from exchanges.models import Market
from execution import backtesting, tasks
from execution.backtest_requests import TASK, cancel, request
from execution.models import Backtest
from tests.execution.test_backtest_requests import make_wish
from tests.factories import make_bot

MINUTE = timedelta(minutes=1)
BEGIN = datetime(2026, 5, 20, 12, tzinfo=UTC)

SWINGING = """
from bot_sdk import Action, CustomBot


class SwingingBot(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config=None):
        print(len(data))
        minute = data.index[-1].minute
        wish = "BUY" if minute % 12 == 0 else "SELL" if minute % 12 == 6 else "HOLD"
        return Action(wish, data["close"].iloc[-1], "by the clock")
"""


@pytest.fixture
def market(db: None, simulated_exchange: str) -> Market:
    refresh_markets("BINANCE")
    return Market.objects.get(exchange="BINANCE", trading_pair="BTC/USDT")


def make_backtest(person: User, market: Market, code: str = SWINGING, **overrides: Any) -> Backtest:
    version = make_bot(code=code).current_version
    assert version is not None
    period = {"timeframe": "1m", "begins_at": BEGIN, "ends_at": BEGIN + 100 * MINUTE}
    return request(person=person, version=version, wish=make_wish(market=market, **period | overrides))


def ran(backtest: Backtest) -> Backtest:
    tasks.run_backtest(str(backtest.pk))
    backtest.refresh_from_db()
    return backtest


def test_a_backtest_fetches_candles_asks_the_bot_and_keeps_what_was_found(bob: User, market: Market) -> None:
    backtest = ran(make_backtest(bob, market))

    assert (backtest.state, backtest.verdict, backtest.message) == ("DONE", "OK", "")
    report = backtest.report
    assert report is not None
    assert report["summary"]["candles"] == 100
    assert report["summary"]["buys"] == 9
    assert report["summary"]["sells"] == 8
    assert len(report["trades"]) == 8
    assert report["metrics"]["trades"] == 8
    # the bot saw a full window before its first decision
    assert backtest.log.splitlines() == ["500"] * 100
    assert backtest.finished_at is not None
    assert backtest.claim is None


def test_the_same_backtest_finds_the_same_whatever_was_stored_before(bob: User, market: Market) -> None:
    first, later = ran(make_backtest(bob, market)), ran(make_backtest(bob, market, is_strict=True))

    assert first.report is not None
    assert first.report | {"versions_tried": 0} == (later.report or {}) | {"versions_tried": 0}


def test_detail_candles_are_fetched_too(bob: User, market: Market) -> None:
    backtest = ran(make_backtest(bob, market, timeframe="5m", detail_timeframe="1m"))

    assert backtest.state == "DONE"
    assert any("smaller candles" in each for each in (backtest.report or {})["assumptions"])


def test_one_message_that_comes_twice_runs_once(bob: User, market: Market) -> None:
    backtest = ran(make_backtest(bob, market))
    finished_at = backtest.finished_at

    assert ran(backtest).finished_at == finished_at


def test_a_canceled_one_is_not_run(bob: User, market: Market) -> None:
    backtest = make_backtest(bob, market)
    Backtest.objects.filter(pk=backtest.pk).update(state="CANCELED")

    assert ran(backtest).report is None


@pytest.mark.parametrize("state", ["PULLED", "QUARANTINED"])
def test_a_version_that_was_withdrawn_meanwhile_is_not_run(bob: User, market: Market, state: str) -> None:
    backtest = make_backtest(bob, market)
    BotVersion.objects.update(state=state)

    ran(backtest)

    assert (backtest.state, backtest.verdict, backtest.report) == ("FAILED", "", None)
    assert "may not be run any more" in backtest.message


@pytest.mark.django_db(transaction=True)
def test_one_that_is_canceled_meanwhile_keeps_what_it_found(
    bob: User, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtesting, "SIGN_SECONDS", 0.0)
    slow = SWINGING.replace("print(len(data))", "import time; time.sleep(0.05)")
    backtest = make_backtest(bob, market, slow)

    with ThreadPoolExecutor(1) as worker:
        running = worker.submit(ran_alone, str(backtest.pk))
        while not Backtest.objects.filter(doing="Asking the bot", progress_percent__gte=20).exists():
            assert not running.done()
            time.sleep(0.02)
        cancel(backtest=backtest)
        running.result(timeout=300)

    backtest.refresh_from_db()
    assert backtest.state == "CANCELED"
    assert backtest.report is not None
    assert 20 <= backtest.report["summary"]["candles"] < 100


def ran_alone(backtest_id: str) -> None:
    try:
        tasks.run_backtest(backtest_id)
    finally:
        connections.close_all()


def test_one_that_waits_for_the_exchange_hears_that_it_is_canceled(
    bob: User, market: Market, settings: Settings
) -> None:
    settings.EGRESS_ADDRESS = "an address that has to stop"
    gateways.public_gateway.cache_clear()
    backtest = make_backtest(bob, market)
    Backtest.objects.update(is_cancel_wanted=True)
    shared_budget("BINANCE").halt(300)

    ran(backtest)

    assert (backtest.state, backtest.report) == ("CANCELED", None)
    assert shared_budget("BINANCE").halted_seconds() > 0


def test_one_whose_time_is_over_keeps_what_it_found(bob: User, market: Market, settings: Settings) -> None:
    settings.BACKTEST_TIMEOUT = 8
    # a little at each candle, so that what was said before the long sleep is on its way
    hanging = SWINGING.replace(
        "print(len(data))", "import time; time.sleep(60 if data.index[-1].minute == 48 else 0.003)"
    )

    backtest = ran(make_backtest(bob, market, hanging))

    assert (backtest.state, backtest.verdict) == ("ENDED_EARLY", "TIMED_OUT")
    assert "2026-05-20 12:48 UTC. The time for one backtest was over." in backtest.message
    assert backtest.report is not None
    assert backtest.report["summary"]["candles"] == 48


def test_a_bot_that_always_fails_is_given_up_with_its_error(bob: User, market: Market) -> None:
    broken = SWINGING.replace("minute =", "minute = nothing\n        minute =")

    backtest = ran(make_backtest(bob, market, broken, ends_at=BEGIN + 150 * MINUTE))

    assert (backtest.state, backtest.verdict) == ("ENDED_EARLY", "FAILED")
    assert "NameError: name 'nothing' is not defined (bot.py, line 8)" in backtest.message
    assert (backtest.report or {})["summary"]["failed"] == 100


def test_a_market_without_candles_in_the_period_says_so(bob: User, market: Market) -> None:
    period: dict[str, Any] = {
        "begins_at": datetime(2010, 1, 1, tzinfo=UTC),
        "ends_at": datetime(2010, 1, 2, tzinfo=UTC),
    }
    backtest = ran(make_backtest(bob, market, **period))

    assert backtest.state == "FAILED"
    assert "no 1m candles between 2010-01-01 and 2010-01-02" in backtest.message


def test_an_exchange_that_does_not_answer_ends_it_with_its_words(
    bob: User, market: Market, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.history.PAUSES_SECONDS", ())
    settings.EXCHANGE_SIMULATOR_URL = "http://127.0.0.1:9"
    gateways.public_gateway.cache_clear()

    backtest = ran(make_backtest(bob, market))

    assert backtest.state == "FAILED"
    assert backtest.message
    assert ExchangeUnavailable.__name__ not in backtest.message


def test_a_backtest_whose_worker_died_is_ended_and_one_that_waits_long_is_told_of_again(
    bob: User, market: Market, published: list[tuple[str, list[Any]]]
) -> None:
    lost, forgotten, fresh = (make_backtest(bob, market) for _ in range(3))
    now = timezone.now()
    Backtest.objects.filter(pk=lost.pk).update(state="RUNNING", seen_at=now - timedelta(minutes=3))
    Backtest.objects.filter(pk=forgotten.pk).update(created_at=now - timedelta(minutes=2))

    backtesting.sweep(now)

    lost.refresh_from_db()
    assert (lost.state, lost.message) == ("FAILED", backtesting.LOST)
    assert published == [(TASK, [str(forgotten.pk)])]
    assert Backtest.objects.get(pk=fresh.pk).state == "QUEUED"


def test_one_that_waits_is_not_told_of_at_every_sweep(
    bob: User, market: Market, published: list[tuple[str, list[Any]]]
) -> None:
    waiting = make_backtest(bob, market)
    later = timezone.now() + timedelta(minutes=2)
    for _ in range(3):
        backtesting.sweep(later)
    assert published == [(TASK, [str(waiting.pk)])]

    shared_redis().delete(f"backtest-told-of:{waiting.pk}")  # as when the broker loses all
    backtesting.sweep(later)

    assert len(published) == 2


def test_backtests_have_a_queue_of_their_own(settings: Settings) -> None:
    assert settings.CELERY_TASK_ROUTES[TASK] == {"queue": "backtests"}
    assert tasks.run_backtest.name == TASK
