import re

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def sign_in(client: Client, login: str, password: str = PASSWORD, **more: str) -> str:
    """Return the answering page, with redirects followed."""
    response = client.post("/accounts/login/", {"login": login, "password": password, **more}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def without_noise(html: str) -> str:
    return re.sub(r'(nonce|csrfmiddlewaretoken" value)="[^"]*"', "", html)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.fixture(autouse=True)
def confirmed_address(bob: User) -> None:
    EmailAddress.objects.get_or_create(
        user=bob, email=bob.email, defaults={"verified": True, "primary": True}
    )


@pytest.mark.parametrize("login", ["bob", "BOB", "bob@example.com", "Bob@Example.com"])
def test_bob_signs_in_by_name_or_address(client: Client, bob: User, login: str) -> None:
    sign_in(client, login)

    assert is_signed_in(client)


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(client: Client, bob: User) -> None:
    known = without_noise(sign_in(client, "bob", "wrong"))
    unknown = without_noise(sign_in(client, "nobody", "wrong"))

    assert not is_signed_in(client)
    assert 'role="alert"' in known
    assert "not correct" in known
    assert known.replace('value="bob"', 'value="nobody"') == unknown


def test_a_page_that_needs_sign_in_is_returned_to(client: Client, bob: User) -> None:
    asked = client.get("/dashboard/")
    response = client.post(asked["Location"], {"login": "bob", "password": PASSWORD})

    assert asked["Location"] == "/accounts/login/?next=/dashboard/"
    assert response["Location"] == "/dashboard/"


def test_sign_in_leads_to_no_other_site(client: Client, bob: User) -> None:
    response = client.post(
        "/accounts/login/", {"login": "bob", "password": PASSWORD, "next": "https://evil.example/"}
    )

    assert response["Location"] == "/dashboard/"


def test_signing_out_takes_a_post(client: Client, bob: User) -> None:
    client.force_login(bob)

    client.get("/accounts/logout/")
    assert is_signed_in(client)

    client.post("/accounts/logout/")
    assert not is_signed_in(client)


def test_the_sign_in_page_looks_like_ours(client: Client) -> None:
    html = client.get("/accounts/login/").content.decode()

    assert "Username or email" in html
    assert 'class="form-control"' in html
    assert "Not investment advice." in html
    assert "Forgot your password?" in html


def test_guessing_passwords_is_slowed_down(client: Client, bob: User) -> None:
    statuses = {
        client.post("/accounts/login/", {"login": "bob", "password": "wrong"}).status_code for _ in range(11)
    }
    html = sign_in(client, "bob")

    assert statuses == {200}
    assert "Too many failed login attempts" in html
    assert not is_signed_in(client)
