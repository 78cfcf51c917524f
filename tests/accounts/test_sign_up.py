import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def filled_in(**overrides: str) -> dict[str, str]:
    form = {"username": "dave", "email": "dave@example.com", "password1": PASSWORD, "password2": PASSWORD}
    return form | overrides


def sign_up(client: Client, **overrides: str) -> str:
    response = client.post("/accounts/signup/", filled_in(**overrides), follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_a_newcomer_signs_up(client: Client) -> None:
    sign_up(client)

    dave = User.objects.get(username="dave")
    assert dave.email == "dave@example.com"
    assert dave.check_password(PASSWORD)
    assert not dave.is_staff


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("username", {"username": "bob"}, "already exists"),
        ("username", {"username": "BOB"}, "already exists"),
        ("username", {"username": "admin"}, "can not be used"),
        ("username", {"username": ""}, "required"),
        ("email", {"email": "not an address"}, "valid email"),
        ("password1", {"password1": "bob", "password2": "bob"}, "too short"),
        ("password2", {"password2": "something else"}, "same password"),
    ],
)
def test_a_bad_value_is_answered_at_its_field(
    client: Client, bob: User, field: str, values: dict[str, str], message: str
) -> None:
    html = sign_up(client, **values)

    assert message in html.split(f'id="id_{field}_error"')[1].split("form-label")[0]
    assert f"id_{field}_error" in html.split(f'name="{field}"')[1].split(">")[0]
    assert list(User.objects.all()) == [bob]


@pytest.mark.parametrize("email", ["bob@example.com", "BOB@example.com"])
def test_nobody_signs_up_twice_with_one_address(client: Client, bob: User, email: str) -> None:
    sign_up(client, email=email)

    assert list(User.objects.all()) == [bob]


def test_an_address_that_has_an_account_gets_the_same_answer_and_a_mail(client: Client, bob: User) -> None:
    free = Client().post("/accounts/signup/", filled_in(), follow=True)
    taken = client.post("/accounts/signup/", filled_in(username="eve", email=bob.email), follow=True)

    assert taken.redirect_chain == free.redirect_chain
    assert "Check your mail" in taken.content.decode()
    assert "You already have an account" in mail.outbox[-1].subject
    assert not User.objects.filter(username="eve").exists()
