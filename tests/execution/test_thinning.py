"""Old cycles of our own runs in which nothing was done go, and nothing that is published changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from execution import forward_runs, performance, tasks, thinning
from execution.account_fit import newest_signals
from execution.models import BotRecord, Cycle, SubscriptionPerformance
from execution.orders import position_of
from subscriptions.models import Subscription
from tests.execution.test_performance import HOUR, cycle_at, fill_of
from tests.factories import make_bot, make_market, make_subscription

pytestmark = pytest.mark.django_db

BEGUN = datetime(2026, 3, 2, tzinfo=UTC)
LATER = datetime(2026, 4, 20, tzinfo=UTC)
DAYS = 4  # each with 24 candles, of which the third has another outcome


def decide(run: Subscription) -> None:
    """Have the run buy on the first day and sell on the second, and do little else."""
    for hour in range(DAYS * 24):
        cycle_at(run, hour, 10_000 + (hour * 37) % 400, 60_000 + hour, **outcome(hour))
    cycles = run.cycles.order_by("candle_opened_at")
    fill_of(cycles[5], "BUY", 60_005, "6")
    fill_of(cycles[30], "SELL", 61_000, "6.1")
    position_of(run)


def outcome(hour: int) -> dict[str, Any]:
    match hour % 24:
        case 3:
            return {"verdict": "TIMED_OUT", "action": ""}
        case 5 | 6:
            return {"action": "BUY", "signal_action": "HOLD", "skip": "already_holding"}
        case _:
            return {}


@pytest.fixture
def run() -> Subscription:
    make_market()
    make_bot()
    with time_machine.travel(BEGUN, tick=False):
        forward_runs.keep()
    found = Subscription.objects.forward_runs().with_names().get()
    decide(found)
    return found


def published(client: Client, run: Subscription) -> list[Any]:
    """Measure, and return all that anybody is shown of the run."""
    performance.measure_all(LATER)
    forward_runs.measure(LATER)
    record = BotRecord.objects.values("days", "figures", "line").get(kind="FORWARD")
    page = client.get(f"/bots/{run.bot.slug}/records/").content.decode()
    return [record, page.partition("<main")[2], newest_signals(run.version)]


def measured_anew(run: Subscription) -> tuple[Any, Any]:
    """Measure as if nothing had been measured before, and return the line and the figures."""
    SubscriptionPerformance.objects.all().delete()
    performance.measure_all(LATER)
    found = SubscriptionPerformance.objects.get(subscription=run)
    return found.daily, found.metrics


def test_thinning_changes_nothing_that_is_published(client: Client, run: Subscription) -> None:
    before = published(client, run)

    with time_machine.travel(LATER, tick=False):
        tasks.thin_paper_runs()

    # of a day its last, its last that was out of time, and its wishes; of the run its first, and its last day
    assert run.cycles.count() == 1 + 3 * 4 + 24
    assert published(client, run) == before
    assert run.cycles.filter(order__isnull=False).count() == 2
    line_and_figures = measured_anew(run)
    Cycle.objects.filter(order=None, action="HOLD").exclude(
        pk=run.cycles.latest("candle_opened_at").pk
    ).delete()
    assert measured_anew(run) != line_and_figures  # which thinning by less care would change


def test_what_was_measured_anew_of_thinned_cycles_is_the_same(run: Subscription) -> None:
    performance.measure_all(LATER)
    forward_runs.measure(LATER)
    whole = measured_anew(run)

    assert thinning.thin(LATER) == 3 * 20 - 1

    assert measured_anew(run) == whole


def test_cycles_of_people_and_new_ones_stay(bob: User, run: Subscription, settings: Settings) -> None:
    subscribed = make_subscription(bob, bot=run.bot, market=run.market, timeframe="1h")
    decide(subscribed)
    assert thinning.thin(LATER) == 0  # nothing is measured
    performance.measure_all(LATER)
    forward_runs.measure(LATER)

    settings.PAPER_RUN_CYCLE_DAYS = 60
    assert thinning.thin(LATER) == 0
    settings.PAPER_RUN_CYCLE_DAYS = 30
    assert thinning.thin(BEGUN + timedelta(days=32)) == 2 * 20 - 1

    assert run.cycles.filter(candle_opened_at__gte=BEGUN + 48 * HOUR).count() == 2 * 24
    assert subscribed.cycles.count() == DAYS * 24


def test_so_many_days_are_thinned_at_a_time_and_the_newest_signals_stay(
    run: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("execution.account_fit", "execution.thinning"):
        monkeypatch.setattr(f"{module}.MOST_SIGNALS", 3)
    monkeypatch.setattr(thinning, "MOST_DAYS", 1)
    signals = newest_signals(run.version)
    performance.measure_all(LATER)
    forward_runs.measure(LATER)

    # a wish goes that is neither the last of its day, nor among the newest three, nor has an order
    assert [thinning.thin(LATER) for _ in range(4)] == [19, 21, 21, 0]

    assert newest_signals(run.version) == signals
    assert run.cycles.filter(action="BUY").count() == 2 + 1 + 1 + 2
