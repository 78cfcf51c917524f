"""Asking for a backtest: what is refused and why, how many one may have, canceling, sharing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from bot_sdk.configs import PERCENTAGE
from bot_sdk.parameters import ConfigError
from bots.models import BotVersion
from execution.backtest_requests import MOST_UNFINISHED, TASK, Wish, cancel, request, share
from execution.errors import BacktestError
from execution.models import Backtest
from tests.factories import make_bot, make_market

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
END = datetime(2026, 6, 1, tzinfo=UTC)
PARAMETERS = [{"name": "length", "type": "integer", "default": 14, "minimum": 2, "maximum": 50}]


def make_wish(**overrides: Any) -> Wish:
    values: dict[str, Any] = {
        "market": make_market(),
        "timeframe": "1h",
        "begins_at": BEGIN,
        "ends_at": END,
        "capital": Decimal(1000),
        "strategy_config": {},
        "execution_config": {
            "buy_order_type": PERCENTAGE,
            "buy_order_value": Decimal(10),
            "sell_order_type": "ALL",
        },
        "risk_config": {"stop_loss_percent": Decimal(5)},
    }
    return Wish(**(values | overrides))


@pytest.fixture
def version(db: None) -> BotVersion:
    version = make_bot().current_version
    assert version is not None
    return version


def problems_of(person: User, version: BotVersion, wish: Wish) -> dict[str, str]:
    with pytest.raises(ConfigError) as refused:
        request(person=person, version=version, wish=wish)
    assert not Backtest.objects.exists()
    return refused.value.problems


def test_a_wish_waits_for_its_worker_with_all_its_settings(
    bob: User,
    version: BotVersion,
    published: list[tuple[str, list[Any]]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        backtest = request(person=bob, version=version, wish=make_wish())

    assert (backtest.state, backtest.begins_at, backtest.ends_at) == ("QUEUED", BEGIN, END)
    assert backtest.risk_config == {"stop_loss_percent": 5.0}
    assert backtest.execution_config["buy_order_value"] == 10.0
    assert published == [(TASK, [str(backtest.pk)])]


def test_a_period_is_cut_to_whole_candles(bob: User, version: BotVersion) -> None:
    wish = make_wish(begins_at=BEGIN + timedelta(minutes=20), ends_at=END + timedelta(minutes=59))

    backtest = request(person=bob, version=version, wish=wish)

    assert (backtest.begins_at, backtest.ends_at) == (BEGIN, END)


def test_a_bots_own_parameters_are_checked(bob: User, db: None) -> None:
    from bot_sdk.parameters import Parameter  # noqa: PLC0415

    version = make_bot(parameters=[Parameter.from_dict(raw) for raw in PARAMETERS]).current_version
    assert version is not None

    problems = problems_of(bob, version, make_wish(strategy_config={"length": 51}))

    assert list(problems) == ["strategy-length"]


@pytest.mark.parametrize(
    ("overrides", "field", "says"),
    [
        ({"timeframe": "2h"}, "timeframe", "Expected one of 1m, 5m"),
        ({"begins_at": END - timedelta(hours=9)}, "ends_at", "at least 10 candles, this one has 9"),
        ({"begins_at": END}, "ends_at", "this one has 0"),
        ({"begins_at": END + timedelta(days=9)}, "ends_at", "at least 10 candles"),
        ({"begins_at": datetime(1999, 1, 1, tzinfo=UTC)}, "begins_at", "at most 200,000 candles"),
        ({"capital": Decimal(0)}, "capital", "above zero"),
        ({"capital": Decimal("NaN")}, "capital", "above zero"),
        ({"slippage_percent": Decimal(11)}, "slippage_percent", "0 to 10 %"),
        ({"slippage_percent": Decimal(-1)}, "slippage_percent", "0 to 10 %"),
        ({"fill_at": "yesterday"}, "fill_at", "Expected one of next_open, close"),
        ({"detail_timeframe": "1h"}, "detail_timeframe", "Expected one of 1m, 5m, 15m, 30m, got '1h'"),
        ({"detail_timeframe": "1d"}, "detail_timeframe", "Expected one of 1m"),
        ({"risk_config": {"stop_loss_percent": 0}}, "stop_loss_percent", "above zero"),
        ({"execution_config": {"buy_order_type": "SOME"}}, "buy_order_type", "Choose one of"),
    ],
)
def test_what_cannot_be_tried_says_why_at_its_field(
    bob: User, version: BotVersion, overrides: dict[str, Any], field: str, says: str
) -> None:
    problems = problems_of(bob, version, make_wish(**overrides))

    assert says in problems[field]


def test_too_many_smaller_candles_are_refused(bob: User, version: BotVersion) -> None:
    wish = make_wish(timeframe="1d", begins_at=datetime(2023, 1, 1, tzinfo=UTC), detail_timeframe="1m")

    assert "at most 1,000,000 smaller candles" in problems_of(bob, version, wish)["detail_timeframe"]


def test_the_future_cannot_be_tried(bob: User, version: BotVersion) -> None:
    wish = make_wish(ends_at=timezone.now() + timedelta(days=2))

    assert "the future has no candles" in problems_of(bob, version, wish)["ends_at"]


def test_a_person_has_a_few_unfinished_ones_at_a_time(bob: User, alice: User, version: BotVersion) -> None:
    first, *_ = [request(person=bob, version=version, wish=make_wish()) for _ in range(MOST_UNFINISHED)]

    with pytest.raises(BacktestError, match="3 of your backtests are not finished"):
        request(person=bob, version=version, wish=make_wish())
    request(person=alice, version=version, wish=make_wish())
    cancel(backtest=first)

    assert request(person=bob, version=version, wish=make_wish()).state == "QUEUED"


def test_one_that_waits_is_canceled_at_once_and_one_that_runs_is_asked_to_end(
    bob: User, version: BotVersion
) -> None:
    waiting, running = (request(person=bob, version=version, wish=make_wish()) for _ in range(2))
    Backtest.objects.filter(pk=running.pk).update(state="RUNNING")

    states = [(each.state, each.is_cancel_wanted) for each in map(canceled, (waiting, running))]

    assert states == [("CANCELED", False), ("RUNNING", True)]
    assert canceled(waiting).state == "CANCELED"


def canceled(backtest: Backtest) -> Backtest:
    return cancel(backtest=backtest)


def test_whoever_has_the_link_may_read_what_is_shared(bob: User, charlie: User, version: BotVersion) -> None:
    backtest = request(person=bob, version=version, wish=make_wish())
    assert not Backtest.objects.shown_to(charlie).exists()

    share(backtest=backtest, is_shared=True)
    assert Backtest.objects.shown_to(charlie).get() == backtest
    assert not Backtest.objects.of(charlie).exists()

    share(backtest=backtest, is_shared=False)
    assert not Backtest.objects.shown_to(charlie).exists()


def test_detail_of_a_smaller_timeframe_is_taken(bob: User, version: BotVersion) -> None:
    backtest = request(person=bob, version=version, wish=replace(make_wish(), detail_timeframe="5m"))

    assert backtest.detail_timeframe == "5m"
