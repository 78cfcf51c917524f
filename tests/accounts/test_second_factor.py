"""Staff pages open with a second factor only, and its secrets rest sealed."""

import html
import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts import second_factor
from accounts.models import AuditEntry, User
from marketplace import demo, roles
from tests.factories import PASSWORD, code_of, give_password, make_staff, sign_in_staff

pytestmark = pytest.mark.django_db

STAFF_PAGES = ["/admin/", "/admin/accounts/user/", "/staff/trading/", "/staff/exchange-requests/"]


def sign_in(client: Client, person: User, to: str = "/admin/") -> str:
    """Give the password; return where that leads."""
    data = {"login": person.username, "password": PASSWORD, "next": to}
    return client.post("/accounts/login/", data)["Location"]


def set_up_app(client: Client) -> str:
    """Set an app up on the pages, as somebody who is signed in; return its secret."""
    give_password(client)
    page = client.get("/accounts/second-factor/totp/activate/").content.decode()
    found = re.search(r'<code id="totp-secret">([A-Z2-7]+)</code>', page)
    assert found is not None
    done = client.post("/accounts/second-factor/totp/activate/", {"code": code_of(found[1])})
    assert done["Location"] == "/accounts/second-factor/recovery-codes/"
    return found[1]


@pytest.mark.parametrize("page", STAFF_PAGES)
def test_staff_without_an_app_are_led_to_set_one_up(client: Client, mona: User, page: str) -> None:
    client.force_login(mona)

    response = client.get(page, follow=True)

    assert "/accounts/second-factor/totp/activate/" in [step[0] for step in response.redirect_chain]
    assert second_factor.NEEDED in [str(message) for message in get_messages(response.wsgi_request)]


def test_from_the_command_line_to_the_admin(client: Client) -> None:
    call_command("createsuperuser", "--noinput", username="sue", email="sue@example.com")
    sue = User.objects.get(username="sue")
    sue.set_password(PASSWORD)
    sue.save()

    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/accounts/login/?next=/admin/"
    assert sign_in(client, sue) == "/admin/"
    secret = set_up_app(client)
    codes = client.get("/accounts/second-factor/recovery-codes/").content.decode()
    asked = client.get("/admin/", follow=True)
    entered = client.post(asked.redirect_chain[-1][0], {"code": code_of(secret), "next": "/admin/"})

    assert len(re.findall(r"<li><code>\d{8}</code></li>", codes)) == 10
    assert asked.redirect_chain[-1][0] == "/accounts/second-factor/reauthenticate/?next=%2Fadmin%2F"
    assert entered["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_signing_in_asks_for_the_code_and_then_opens_the_admin(mona: User) -> None:
    before = Client()
    before.force_login(mona)
    secret = set_up_app(before)
    client = Client()

    assert sign_in(client, mona) == "/accounts/second-factor/authenticate/"
    assert client.get("/admin/").status_code == 302
    wrong = client.post("/accounts/second-factor/authenticate/", {"code": "000000"})
    assert wrong.status_code == 200
    assert "Incorrect code." in wrong.content.decode()
    assert (
        client.post("/accounts/second-factor/authenticate/", {"code": code_of(secret)})["Location"]
        == "/admin/"
    )
    assert client.get("/admin/").status_code == 200
    assert before.get("/admin/").status_code == 302  # that session has shown no code


def test_a_recovery_code_opens_it_once(mona: User) -> None:
    before = Client()
    before.force_login(mona)
    set_up_app(before)
    code = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]

    locations = []
    for _ in range(2):
        client = Client()
        sign_in(client, mona)
        answer = client.post("/accounts/second-factor/authenticate/", {"code": code})
        locations.append(answer.headers.get("Location"))

    assert locations == ["/admin/", None]


@pytest.mark.parametrize("page", STAFF_PAGES[:2])
def test_an_app_that_is_gone_opens_nothing_any_more(client: Client, mona: User, page: str) -> None:
    sign_in_staff(client, mona)
    assert client.get(page).status_code == 200

    Authenticator.objects.all().delete()

    assert client.get(page).status_code == 302


def test_a_person_who_is_no_staff_is_turned_away(client: Client, bob: User) -> None:
    sign_in_staff(client, bob)

    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/").status_code == 403
    assert client.get("/staff/trading/").status_code == 404


def test_whose_staff_role_is_taken_away_stays_outside_at_once(client: Client) -> None:
    nina = make_staff("nina", roles.MODERATOR)
    sign_in_staff(client, nina)
    assert client.get("/admin/bots/bot/").status_code == 200

    User.objects.filter(pk=nina.pk).update(is_staff=False)

    assert client.get("/admin/bots/bot/").status_code == 302


def test_the_admins_own_password_form_is_gone(client: Client, mona: User) -> None:
    data = {"username": "mona", "password": PASSWORD, "next": "/admin/"}

    assert client.post("/admin/login/", data)["Location"] == "/accounts/login/?next=/admin/"
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "page",
    [
        "",
        "totp/activate/",
        "totp/deactivate/",
        "recovery-codes/",
        "recovery-codes/generate/",
        "reauthenticate/",
    ],
)
def test_its_pages_look_like_ours_and_have_no_inline_code(client: Client, mona: User, page: str) -> None:
    client.force_login(mona)
    if page != "totp/activate/":
        set_up_app(client)
    give_password(client)

    shown = client.get(f"/accounts/second-factor/{page}")

    text = shown.content.decode()
    assert shown.status_code == 200
    assert 'class="card narrow"' in text
    assert "style=" not in text
    assert re.findall(r"<script(?![^>]* src=)", text) == []


def test_secrets_are_sealed_in_the_database(client: Client, mona: User) -> None:
    client.force_login(mona)
    secret = set_up_app(client)
    kept = [row.data for row in Authenticator.objects.order_by("pk")]

    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(data::text, '') FROM mfa_authenticator")
        at_rest = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(session_data, '') FROM django_session")
        at_rest += cursor.fetchone()[0]

    assert secret not in at_rest
    assert decrypt(kept[0]["secret"]) == secret
    assert decrypt(kept[1]["seed"]) not in at_rest
    assert "mfa.totp.secret" not in client.session


def test_another_vault_key_takes_over(client: Client, mona: User, settings: Settings) -> None:
    client.force_login(mona)
    secret = set_up_app(client)
    old = settings.VAULT_KEYS
    settings.VAULT_KEYS = {"new": bytes(32), **old}

    call_command("rotate_vault_keys")

    settings.VAULT_KEYS = {"new": bytes(32)}
    assert decrypt(Authenticator.objects.get(type="totp").data["secret"]) == secret
    settings.VAULT_KEYS = old
    with pytest.raises(second_factor.SecretLost, match="VAULT_KEYS lacks the key"):
        decrypt(Authenticator.objects.get(type="totp").data["secret"])


def test_the_admin_shows_no_secret_and_staff_can_take_an_app_away(client: Client, mona: User) -> None:
    nina = make_staff("nina", roles.MODERATOR)
    sign_in_staff(Client(), nina)
    app = Authenticator.objects.get(user=nina)
    sign_in_staff(client, mona)
    page = client.get(reverse("admin:mfa_authenticator_change", args=[app.pk])).content.decode()

    client.post(reverse("admin:mfa_authenticator_delete", args=[app.pk]), {"post": "yes"})

    assert app.data["secret"] not in html.unescape(page)
    assert not Authenticator.objects.filter(user=nina).exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_id) == (mona, "authenticator.delete", str(app.pk))


def test_demo_staff_get_in_with_the_code_that_a_command_prints(
    client: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DEMO = True
    demo.seed(PASSWORD)
    moderator = User.objects.get(username=demo.MODERATOR)

    sign_in(client, moderator)
    asked = client.get("/accounts/second-factor/authenticate/").content.decode()
    call_command("demo_code")
    printed = re.search(rf"{demo.MODERATOR}: (\d{{6}}) ", capsys.readouterr().out)
    assert printed is not None
    client.post("/accounts/second-factor/authenticate/", {"code": printed[1]})

    assert "manage.py demo_code" in asked
    assert client.get("/admin/bots/bot/").status_code == 200


def test_without_the_demo_no_command_prints_codes(client: Client, settings: Settings) -> None:
    settings.DEMO = False
    demo.seed(PASSWORD)
    sign_in(client, User.objects.get(username=demo.MODERATOR))

    with pytest.raises(CommandError, match="This is no demo"):
        call_command("demo_code")
    assert "demo_code" not in client.get("/accounts/second-factor/authenticate/").content.decode()
