"""What no role allows in the admin; which pages each opens is in the role matrix."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.models import AuditEntry, User
from marketplace import roles
from tests.factories import (
    make_cycle,
    make_exchange_account,
    make_fill,
    make_order,
    make_staff,
    make_subscription,
    sign_in_staff,
    trader_of,
)

pytestmark = pytest.mark.django_db

ROLES = [*roles.RIGHTS, "superuser"]
KEPT = ["accounts.AuditEntry", "execution.Order", "execution.Fill", "execution.Cycle"]


def staff_of(role: str) -> tuple[Client, User]:
    person = make_staff("nina", role) if role in roles.RIGHTS else _superuser()
    client = Client()
    sign_in_staff(client, person)
    return client, person


def _superuser() -> User:
    sue: User = User.objects.create_superuser("sue", "sue@example.com", "x")
    return sue


@pytest.fixture
def everything() -> None:
    """One row of each kind that must be kept."""
    subscription = make_subscription()
    make_fill(make_order(make_cycle(subscription)))
    make_exchange_account(subscription.trader)
    audit.record(actor=None, action="person.noted", target=trader_of(subscription))


@pytest.mark.parametrize(
    ("role", "sees"),
    [("moderator", 200), ("finance", 200), ("operator", 403), ("superuser", 200)],
)
def test_the_audit_log_is_for_those_whom_it_concerns(role: str, sees: int, everything: None) -> None:
    client, _ = staff_of(role)
    entry = AuditEntry.objects.get()

    assert client.get("/admin/accounts/auditentry/").status_code == sees
    assert client.get(f"/admin/accounts/auditentry/{entry.pk}/change/").status_code == sees
    assert client.get("/admin/accounts/auditentry/", {"q": "noted"}).status_code == sees


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("label", KEPT)
def test_what_happened_is_deleted_by_nobody(role: str, label: str, everything: None) -> None:
    client, _ = staff_of(role)
    model = apps.get_model(label)
    row = model._default_manager.get()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    many = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}

    assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse(f"{name}_change", args=[row.pk]), {"action": "x"}).status_code == 403
    client.post(reverse(f"{name}_changelist"), many)

    assert model._default_manager.filter(pk=row.pk).exists()


def test_nobody_but_a_superuser_can_make_superusers() -> None:
    dangerous = ("user", "group", "permission", "authenticator", "logentry")
    given = [right for rights in roles.RIGHTS.values() for right in rights]

    assert [right for right in given if right.endswith(dangerous) and "view_" not in right] == []


def test_roles_are_given_their_rights_anew(django_user_model: type[User]) -> None:
    roles.install()
    moderators = Group.objects.get(name=roles.MODERATOR)
    moderators.permissions.clear()

    roles.install()

    given = {f"{each.content_type.app_label}.{each.codename}" for each in moderators.permissions.all()}
    assert given == set(roles.RIGHTS[roles.MODERATOR])


def test_what_staff_change_by_hand_is_in_the_audit_log(client: Client, mona: User) -> None:
    sign_in_staff(client, mona)
    client.post("/admin/bots/category/add/", {"name": "Grid", "slug": "grid", "description": "x"})
    category = apps.get_model("bots.Category").objects.get()
    client.post(
        f"/admin/bots/category/{category.pk}/change/", {"name": "Grids", "slug": "grid", "description": "x"}
    )
    client.post(f"/admin/bots/category/{category.pk}/delete/", {"post": "yes"})

    entries = AuditEntry.objects.order_by("number").values_list("actor_name", "action", "details")
    assert list(entries) == [
        ("mona", "category.add", {"fields": [{"added": {}}]}),
        ("mona", "category.change", {"fields": [{"changed": {"fields": ["Name"]}}]}),
        ("mona", "category.delete", {}),
    ]
    assert list(audit.find_tampering()) == []


@pytest.mark.parametrize(
    "address",
    ["bots/versiontoreview/?state=", "bots/artifact/?kind__exact=", "accounts/auditentry/?action="],
)
def test_what_no_text_can_hold_is_refused(address: str) -> None:
    client, _ = staff_of("superuser")

    assert client.get(f"/admin/{address}%00").status_code == 400
    assert client.post("/admin/bots/bot/", {"action": "x", "_selected_action": "\0"}).status_code == 400
