"""What happens to a trader's bots becomes one notification, in the transaction in which it happened."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Notification, User
from bots import moderation, storage
from bots.models import BotVersion
from exchanges.gateway import Ticker
from execution import watching
from execution.orders import book
from execution.protection import remember
from subscriptions import lifecycle, switches, tasks
from subscriptions.models import TradingState
from tests.execution.test_orders import CountingGateway, place, running_cycle, signal
from tests.factories import BUYING_BOT, make_bot, make_subscription, make_user, trader_of

pytestmark = pytest.mark.django_db


def told(person: User) -> list[tuple[str, str]]:
    return list(Notification.objects.filter(person=person).values_list("event", "subject"))


def ticker_of(price: int) -> Ticker:
    found = Decimal(price)
    return Ticker(last=found, bid=found, ask=found, at=timezone.now())


def test_a_filled_order_is_told_once_with_what_it_did() -> None:
    cycle = running_cycle(make_subscription())
    gateway = CountingGateway(cycle)
    order = place(cycle, signal(), gateway)

    book(
        order=order,
        report=gateway.create_market_order("BTC/USDT", "BUY", order.amount, str(order.client_order_id)),
    )

    [each] = Notification.objects.all()
    amount = f"{order.amount.normalize():f}"
    assert (each.person, each.event) == (cycle.subscription.trader, "FILL")
    assert each.subject == f"{cycle.subscription.bot.name}: bought {amount} BTC"
    assert each.text.startswith(f"Bought {amount} BTC at ")
    assert each.link == cycle.subscription.get_absolute_url()


def test_what_is_rolled_back_is_not_told() -> None:
    cycle = running_cycle(make_subscription())

    with transaction.atomic():
        place(cycle, signal(), CountingGateway(cycle))
        transaction.set_rollback(True)

    assert not Notification.objects.exists()


def test_telling_costs_the_order_one_statement() -> None:
    cycle = running_cycle(make_subscription())

    with CaptureQueriesContext(
        connection,
    ) as queries:
        place(cycle, signal(), CountingGateway(cycle))

    named = [each["sql"] for each in queries if "notification" in each["sql"]]
    assert len(named) == 1
    assert named[0].startswith('INSERT INTO "accounts_notification"')


def test_a_stop_that_sells_is_told_as_such() -> None:
    subscription = make_subscription()
    cycle = running_cycle(subscription)
    place(cycle, signal(), CountingGateway(cycle))

    watching.watch(subscription.market, ticker_of(1000), timezone.now())

    assert [event for event, _ in told(trader_of(subscription))] == ["FILL", "STOP"]


def test_a_drawdown_that_halts_is_told_once() -> None:
    subscription = make_subscription(risk_config={"max_drawdown_percent": 10.0})
    cycle = running_cycle(subscription)
    place(cycle, signal(amount="0.1"), CountingGateway(cycle))
    subscription = type(subscription).objects.with_names().select_related("position").get(pk=subscription.pk)

    for _ in range(2):
        remember([subscription], at=timezone.now(), bid=Decimal(1000))

    halts = [subject for event, subject in told(trader_of(subscription)) if event == "HALTED"]
    assert halts == [f"{subscription.bot.name} is halted: the drawdown limit was reached"]


def test_a_switch_is_told_to_those_whom_it_holds_back(bob: User, charlie: User) -> None:
    make_subscription(bob)
    make_subscription(charlie, state="STOPPED")

    for _ in range(2):
        switches.set_platform_state(state=TradingState.HALTED, reason="A fault.", by=None)

    assert told(bob) == [("HALTED", "On the platform: halted")]
    assert told(charlie) == []


def test_a_pause_by_staff_is_told(bob: User) -> None:
    lifecycle.pause_by_staff(subscription=make_subscription(bob), staff=make_user("mona"))

    assert told(bob) == [("HALTED", "Your subscription is paused")]


def test_an_approved_version_is_told_to_its_developer_and_to_who_has_an_older_one(
    alice: User, bob: User, charlie: User
) -> None:
    bot = make_bot(alice)
    make_subscription(bob, bot=bot)
    make_subscription(charlie)
    version = bot.versions.create(
        number="v1.1.0", state=BotVersion.State.IN_REVIEW, release_notes="Fewer orders."
    )
    storage.save_code(version, BUYING_BOT.encode())

    moderation.approve(version=version, reviewer=make_user("mona"))
    for _ in range(2):
        tasks.tell_of_new_version(version.pk)

    assert told(alice) == [("REVIEW", f"{version}: approved")]
    assert told(bob) == [("VERSION", f"{bot.name} v1.1.0 is offered")]
    assert told(charlie) == []
