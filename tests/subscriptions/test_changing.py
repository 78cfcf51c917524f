"""A trader moves to another version and changes settings; what was decided before is not ordered any more."""

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from bot_sdk.parameters import ConfigError, Parameter
from bots import publishing
from bots.models import Bot, BotVersion
from bots.publishing import publish_version
from execution import wave
from execution.models import Order
from execution.orders import position_of
from subscriptions import changing, lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription
from tests.execution.proof import new_seed
from tests.execution.test_orders import CountingGateway, place, running_cycle, signal
from tests.execution.test_watching import holding
from tests.factories import BUYING_BOT, make_bot, make_subscription
from tests.subscriptions.test_switches import late_orders

pytestmark = pytest.mark.django_db

OLD = [
    Parameter("period", "integer", 14, "Period", 2, 100),
    Parameter("mode", "choice", "calm", choices=("calm", "wild")),
    Parameter("lost", "integer", 1),
]
NEW = [
    Parameter("period", "integer", 10, "Period", 2, 20),
    Parameter("mode", "choice", "calm", choices=("calm", "wild")),
    Parameter("gained", "number", 1.5, "Gained"),
]
RISK = {"stop_loss_percent": 3, "take_profit_percent": 10, "cool_down_minutes": 30}
HALF = {"buy_order_type": "PERCENTAGE", "buy_order_value": 50.0, "sell_order_type": "ALL"}


@pytest.fixture
def bot(alice: User) -> Bot:
    return make_bot(alice, name="Steady", slug="steady", parameters=OLD)


@pytest.fixture
def subscription(bob: User, bot: Bot) -> Subscription:
    """Bob's, with a period that the next version does not take."""
    chosen = {"period": 50, "mode": "wild", "lost": 7}
    return make_subscription(bob, bot=bot, strategy_config=chosen)


@pytest.fixture
def newer(bot: Bot) -> BotVersion:
    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT, parameters=NEW, risk_defaults=RISK)
    return bot.versions.get(number="v1.1.0")


def spaced(words: str) -> str:
    return words.replace("\N{NARROW NO-BREAK SPACE}", " ")


def move(subscription: Subscription, to: BotVersion) -> Subscription:
    return changing.move(subscription=subscription, to=to, revision=subscription.revision)


def change(subscription: Subscription, **documents: Any) -> Subscription:
    values = subscription.documents | documents
    return changing.change(subscription=subscription, revision=subscription.revision, **values)


def test_moving_keeps_what_still_fits_and_says_what_changed(
    subscription: Subscription, newer: BotVersion
) -> None:
    moved = move(subscription, newer)

    assert moved.version == newer
    assert moved.strategy_config == {"period": 10, "mode": "wild", "gained": 1.5}
    assert moved.risk_config == subscription.risk_config
    [kept] = moved.changes.all()
    assert kept.differences == [
        {"label": "Version", "old": "v1.0.0", "new": "v1.1.0"},
        {"label": "Period", "old": "50", "new": "10"},
        {"label": "Gained", "old": "–", "new": "1.5"},
        {"label": "Lost", "old": "7", "new": "–"},
    ]


def test_limits_that_a_version_proposes_are_shown_and_not_taken_over(
    subscription: Subscription, newer: BotVersion
) -> None:
    assert changing.limits_not_taken_over(subscription, newer) == [
        ("Stop loss", "3\N{NARROW NO-BREAK SPACE}%"),
        ("Cool-down", "30\N{NARROW NO-BREAK SPACE}min"),
    ]


def test_what_is_held_stays(bot: Bot, newer: BotVersion) -> None:
    subscription = holding(bot=bot, version=bot.versions.get(number="v1.0.0"))

    moved = move(subscription, newer)

    assert position_of(moved).base_amount == Decimal("0.01")


def test_moving_to_the_version_that_it_has_changes_nothing(subscription: Subscription) -> None:
    assert move(subscription, subscription.version).revision == 0
    assert not subscription.changes.exists()


def test_only_an_offered_version_of_the_same_bot_can_be_moved_to(
    subscription: Subscription, newer: BotVersion
) -> None:
    other = make_bot().versions.get()
    publishing.pull(version=newer, reason="It is broken.")

    for version in (newer, other):
        with pytest.raises(SubscriptionError, match="is not offered now"):
            move(subscription, version)
    assert changing.versions_to_move_to(subscription) == []


@pytest.mark.parametrize("state", ["PULLED", "QUARANTINED", "RETIRED"])
def test_a_version_that_was_stopped_can_be_left(
    subscription: Subscription, newer: BotVersion, state: str
) -> None:
    BotVersion.objects.filter(pk=subscription.version_id).update(state=state)

    moved = move(subscription, newer)

    assert moved in Subscription.objects.active().asked()


def test_a_suspended_bot_is_not_moved_and_a_retired_one_is(
    subscription: Subscription, newer: BotVersion
) -> None:
    Bot.objects.update(state=Bot.State.SUSPENDED)
    with pytest.raises(SubscriptionError, match="is not offered now"):
        move(subscription, newer)

    Bot.objects.update(state=Bot.State.RETIRED)
    assert move(subscription, newer).version == newer


def test_a_stopped_subscription_is_not_changed(subscription: Subscription, newer: BotVersion) -> None:
    lifecycle.stop(subscription=subscription)

    with pytest.raises(SubscriptionError, match="is stopped: it cannot be changed"):
        move(subscription, newer)
    with pytest.raises(SubscriptionError, match="is stopped: it cannot be changed"):
        change(subscription, risk_config={})


def test_what_was_changed_meanwhile_is_looked_at_again(subscription: Subscription, newer: BotVersion) -> None:
    change(subscription, risk_config={})

    with pytest.raises(SubscriptionError, match="Look at it again"):
        move(subscription, newer)


def test_settings_change_together_and_are_kept_in_words(subscription: Subscription) -> None:
    risk = {"stop_loss_percent": 2.5, "cool_down_minutes": 15}

    changed = change(subscription, execution_config=HALF, risk_config=risk)

    assert (changed.execution_config, changed.risk_config) == (HALF, risk)
    assert (changed.version, changed.revision) == (subscription.version, 1)
    differences = changed.changes.get().differences
    assert [(each["label"], spaced(each["old"]), spaced(each["new"])) for each in differences] == [
        ("Size of a buy", "10 %", "50 %"),
        ("Stop loss", "5 %", "2.5 %"),
        ("Take profit", "10 %", "off"),
        ("Largest position", "20 %", "off"),
        ("Cool-down", "off", "15 min"),
    ]


def test_bad_settings_are_refused_at_their_fields_and_change_nothing(subscription: Subscription) -> None:
    with pytest.raises(ConfigError) as caught:
        change(subscription, strategy_config={"period": 1}, risk_config={"stop_loss_percent": 0})

    assert list(caught.value.problems) == ["strategy-period", "stop_loss_percent"]
    subscription.refresh_from_db()
    assert (subscription.revision, subscription.strategy_config["period"]) == (0, 50)


def test_what_the_old_version_decided_is_not_ordered(subscription: Subscription, newer: BotVersion) -> None:
    cycle = running_cycle(subscription)
    move(subscription, newer)

    order = place(cycle, signal(), gateway := CountingGateway(cycle))

    assert (order.state, gateway.sent) == (Order.State.NOT_SENT, [])
    assert "settings were changed" in order.message


def test_a_decision_that_another_worker_carries_out_is_not_ordered_either(
    subscription: Subscription, newer: BotVersion
) -> None:
    opened_at = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    [claimed] = wave.claim([subscription], subscription.timeframe, opened_at)
    move(subscription, newer)
    [read_anew] = type(claimed).objects.filter(pk=claimed.pk).to_conclude()

    order = place(read_anew, signal(), CountingGateway(read_anew))

    assert (order.state, "settings were changed" in order.message) == (Order.State.NOT_SENT, True)


def test_what_is_decided_afterwards_is_ordered(subscription: Subscription, newer: BotVersion) -> None:
    moved = move(subscription, newer)
    opened_at = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    [claimed] = wave.claim([moved], moved.timeframe, opened_at)

    assert place(claimed, signal(), CountingGateway(claimed)).state == Order.State.FILLED


@pytest.mark.parametrize("deed", ["move", "change"])
def test_a_change_waits_for_an_order_that_may_be_leaving(
    subscription: Subscription,
    newer: BotVersion,
    deed: str,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    until = timezone.now() + timedelta(seconds=0.4)
    Subscription.objects.update(sending_until=until)

    with django_capture_on_commit_callbacks(execute=True):  # where it waits
        if deed == "move":
            move(subscription, newer)
        else:
            change(subscription, risk_config={})

    assert timezone.now() >= until


@pytest.mark.django_db(transaction=True)
def test_after_a_change_returns_nothing_leaves_that_was_decided_before(bob: User) -> None:
    random.seed(new_seed())
    subscription = make_subscription(bob)
    position_of(subscription)
    late = 0
    for stop_loss in range(1, 9):

        def set_stop(percent: int = stop_loss) -> None:
            change(subscription, risk_config={"stop_loss_percent": percent})

        late += late_orders(subscription, set_stop, rounds=1)
        subscription.refresh_from_db()

    assert late == 0
    assert subscription.changes.count() == 8
    assert Order.objects.filter(state=Order.State.FILLED).exists()
