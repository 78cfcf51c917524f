"""Staff with the right may end an order of unknown fate as never arrived; they say why, and it is logged."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, User
from execution.invariants import find_breaches
from execution.models import Fill, Order
from execution.orders import position_of
from marketplace import roles
from tests.factories import (
    make_cycle,
    make_fill,
    make_order,
    make_staff,
    make_subscription,
    make_user,
    sign_in_staff,
)

pytestmark = pytest.mark.django_db

LIST = "/admin/execution/order/"
REASON = "Support ticket 4711: no such order, account export attached."


@pytest.fixture
def order() -> Order:
    """Sent an hour ago, and of unknown fate ever since."""
    sent_at = timezone.now() - timedelta(hours=1)
    values = {"sent_at": sent_at, "send_by": sent_at + timedelta(seconds=5)}
    return make_order(make_cycle(make_subscription()), state=Order.State.UNKNOWN, **values)


@pytest.fixture
def settler(client: Client) -> Client:
    """Staff who may see orders and end them, and nothing else."""
    nina = make_user("nina", is_staff=True)
    rights = Permission.objects.filter(codename__in=["view_order", "end_order"])
    nina.user_permissions.set(rights)
    sign_in_staff(client, nina)
    return client


def end(browser: Client, order: Order, **said: str) -> str:
    """Choose the action for the order; with words, send them. Return the page that comes."""
    data = {"action": "end_selected", "_selected_action": [order.pk], **said}
    return browser.post(LIST, data, follow=True).content.decode()


def never_arrived(browser: Client, order: Order, reason: str = REASON) -> str:
    return end(browser, order, outcome="NOT_SENT", reason=reason)


def test_staff_are_asked_first_and_nothing_has_changed(settler: Client, order: Order) -> None:
    page = end(settler, order)

    assert str(order.client_order_id) in page
    assert "It never arrived" in page
    assert "This field is required" not in page
    assert Order.objects.get().state == Order.State.UNKNOWN


def test_an_order_that_never_arrived_is_ended_with_the_reason_in_the_log(
    settler: Client, order: Order
) -> None:
    page = never_arrived(settler, order)

    assert f"Order {order.pk} is ended." in page
    order.refresh_from_db()
    assert order.state == Order.State.NOT_SENT
    assert REASON in order.message
    assert not Fill.objects.exists()
    assert position_of(order.subscription).base_amount == 0
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action, entry.object_id) == ("nina", "order.end", str(order.pk))
    assert entry.details == {"reason": REASON}


def test_an_order_that_a_dead_worker_left_behind_is_ended_too(settler: Client, order: Order) -> None:
    Order.objects.update(state=Order.State.SENDING)

    never_arrived(settler, order)

    assert Order.objects.get().state == Order.State.NOT_SENT


@pytest.mark.parametrize(
    "said",
    [
        {"reason": "", "outcome": "NOT_SENT"},
        {"reason": "   ", "outcome": "NOT_SENT"},
        {"reason": "x" * 201, "outcome": "NOT_SENT"},
        {"reason": REASON},
        {"reason": REASON, "outcome": "FILLED"},
    ],
)
def test_without_a_reason_and_a_known_choice_nothing_ends(
    settler: Client, order: Order, said: dict[str, str]
) -> None:
    page = end(settler, order, **said)

    assert "errorlist" in page
    assert Order.objects.get().state == Order.State.UNKNOWN
    assert not AuditEntry.objects.exists()


def may_still_arrive(order: Order) -> None:
    Order.objects.update(send_by=timezone.now())


def was_settled_meanwhile(order: Order) -> None:
    Order.objects.update(state=Order.State.CANCELED)


def has_fills(order: Order) -> None:
    make_fill(order)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (may_still_arrive, "may still arrive until"),
        (was_settled_meanwhile, "is canceled, not of unknown fate"),
        (has_fills, "has fills, so it did arrive"),
    ],
)
def test_what_must_not_be_ended_is_not(settler: Client, order: Order, change: object, words: str) -> None:
    assert callable(change)
    change(order)
    before = Order.objects.get().state

    page = never_arrived(settler, order)

    assert words in page
    assert Order.objects.get().state == before
    assert not AuditEntry.objects.exists()


def test_a_moderator_without_the_right_cannot(client: Client, order: Order) -> None:
    moderator = make_staff("nina", roles.MODERATOR)
    moderator.user_permissions.set(Permission.objects.filter(codename="view_order"))
    sign_in_staff(client, moderator)

    assert "end_selected" not in client.get(LIST).content.decode()
    never_arrived(client, order)

    assert Order.objects.get().state == Order.State.UNKNOWN


def test_a_person_who_is_no_staff_cannot(client: Client, order: Order, charlie: User) -> None:
    charlie.user_permissions.set(Permission.objects.filter(codename="end_order"))
    client.force_login(charlie)

    never_arrived(client, order)

    assert Order.objects.get().state == Order.State.UNKNOWN


def test_an_order_that_was_ended_frees_its_market_and_keeps_the_rules(settler: Client, order: Order) -> None:
    assert "orders end" in {breach.rule for breach in find_breaches()}

    never_arrived(settler, order)

    assert "orders end" not in {breach.rule for breach in find_breaches()}
    assert not Order.objects.unsettled().exists()
    assert settler.get(reverse("admin:execution_order_change", args=[order.pk])).status_code == 200
