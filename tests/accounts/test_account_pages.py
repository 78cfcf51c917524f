import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

PAGES = ["/accounts/email/", "/accounts/password/change/"]


def signed_in(person: User) -> Client:
    """A browser in which the person, with a confirmed address, has just given their password."""
    values = {"verified": True, "primary": True}
    EmailAddress.objects.update_or_create(user=person, email=person.email, defaults=values)
    client = Client()
    client.post("/accounts/login/", {"login": person.username, "password": PASSWORD})
    return client


@pytest.mark.parametrize("address", PAGES)
def test_account_pages_need_sign_in(client: Client, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("address", [*PAGES, "/accounts/logout/", "/accounts/password/reset/"])
def test_account_pages_look_like_ours(bob: User, address: str) -> None:
    html = signed_in(bob).get(address).content.decode()

    assert 'class="card narrow"' in html
    assert "style=" not in html


def test_bob_changes_his_password_and_is_told_by_mail_only_that(bob: User) -> None:
    form = {"oldpassword": PASSWORD, "password1": "another battery", "password2": "another battery"}
    signed_in(bob).post("/accounts/password/change/", form)

    bob.refresh_from_db()
    assert bob.check_password("another battery")
    assert all("another battery" not in message.body for message in mail.outbox)


def test_a_wrong_current_password_is_refused_at_its_field(bob: User) -> None:
    form = {"oldpassword": "wrong", "password1": "another battery", "password2": "another battery"}
    html = signed_in(bob).post("/accounts/password/change/", form).content.decode()

    assert 'id="id_oldpassword_error"' in html


def test_bob_confirms_another_address_by_mail_and_makes_it_primary(bob: User) -> None:
    client = signed_in(bob)
    client.post("/accounts/email/", {"action_add": "", "email": "bob@work.example"})
    link = mailed_link()

    asked = client.get(link).content.decode()
    client.post(link)
    client.post("/accounts/email/", {"action_primary": "", "email": "bob@work.example"})

    bob.refresh_from_db()
    assert "Is <strong>bob@work.example</strong> the address of the account bob?" in asked
    assert bob.email == "bob@work.example"


def test_an_address_that_is_not_confirmed_cannot_become_primary(alice: User, bob: User) -> None:
    client = signed_in(bob)
    client.post("/accounts/email/", {"action_add": "", "email": "alice@example.com"})
    client.post("/accounts/email/", {"action_primary": "", "email": "alice@example.com"})

    bob.refresh_from_db()
    assert bob.email == "bob@example.com"


def test_the_address_of_another_account_cannot_be_confirmed(alice: User, bob: User) -> None:
    client = signed_in(bob)
    client.post("/accounts/email/", {"action_add": "", "email": "alice@example.com"})
    client.post(mailed_link())

    assert not EmailAddress.objects.filter(user=bob, email="alice@example.com", verified=True).exists()


def test_the_primary_address_cannot_be_removed(bob: User) -> None:
    client = signed_in(bob)
    html = client.post(
        "/accounts/email/", {"action_remove": "", "email": bob.email}, follow=True
    ).content.decode()

    bob.refresh_from_db()
    assert "You cannot remove your primary email address" in html
    assert bob.email == "bob@example.com"


def mailed_link() -> str:
    return next(word for word in str(mail.outbox[-1].body).split() if "/confirm-email/" in word)
