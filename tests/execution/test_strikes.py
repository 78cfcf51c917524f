"""What counts as a version's harm, and when it goes into quarantine."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from bot_sdk.parameters import Parameter
from bots import publishing
from bots.models import Bot, BotVersion
from execution import strikes
from execution.cycle import MarketView
from execution.models import Strike
from execution.sandbox import Run, Verdict
from subscriptions.models import Subscription
from tests.execution.test_settling import simulator
from tests.execution.waves import HEADER, decide, hourly, market, opened_at, view
from tests.factories import make_bot, make_subscription

__all__ = ["market", "opened_at", "simulator", "view"]  # fixtures

pytestmark = pytest.mark.django_db

FORBIDDEN_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): import os; os.fork()\n"


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
