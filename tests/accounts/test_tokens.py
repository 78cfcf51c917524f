"""Programs sign in, stay signed in, and are out at once when they should be."""

from datetime import timedelta
from threading import Thread
from typing import Any

import jwt
import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import tokens
from accounts.models import TokenFamily, User
from tests.factories import PASSWORD, Program, code_of, make_subscription

pytestmark = pytest.mark.django_db

SIGN_IN = {"username": "bob", "password": PASSWORD}


def post(address: str, body: Any, **headers: str) -> Any:
    return Client(headers=headers).post(address, body, "application/json")


def sign_in(**changes: Any) -> Any:
    return post("/api/token/", SIGN_IN | changes)


def refresh(token: str) -> Any:
    return post("/api/token/refresh/", {"refresh": token})


def opens(access: str) -> bool:
    response = Client(headers={"Authorization": f"Bearer {access}"}).get("/api/subscriptions/")
    assert response.status_code in (200, 401)
    return response.status_code == 200


@pytest.mark.parametrize("username", ["bob", "BOB", "Bob@Example.com"])
def test_a_program_signs_in_by_name_or_address(bob: User, username: str) -> None:
    response = sign_in(username=username)

    assert response.status_code == 200
    assert opens(response.json()["access"])
    assert "no-store" in response["Cache-Control"]


def test_refused_sign_ins_look_alike_whatever_the_reason(bob: User, alice: User, charlie: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    EmailAddress.objects.filter(user=charlie).update(verified=False)

    refused = [
        sign_in(password="wrong"),
        sign_in(username="nobody"),
        sign_in(username="alice"),
        sign_in(username="charlie"),
    ]

    assert {response.status_code for response in refused} == {401}
    assert len({response.content for response in refused}) == 1
    assert refused[0].json()["error"]["code"] == "sign_in_refused"


def test_guessing_is_slowed_down_by_account_together_with_the_page(bob: User, client: Client) -> None:
    for _ in range(2):
        client.post("/accounts/login/", {"login": "bob", "password": "wrong"})
    statuses = [sign_in(password="wrong").status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]
    assert sign_in().status_code == 429


def test_guessing_many_names_is_slowed_down_by_address_and_no_header_helps(bob: User) -> None:
    responses = [
        post(
            "/api/token/", {"username": f"user{n}", "password": "x"}, **{"X-Forwarded-For": f"203.0.113.{n}"}
        )
        for n in range(11)
    ]

    assert [response.status_code for response in responses] == [401] * 10 + [429]


def test_without_redis_nobody_signs_in_and_nothing_fails(bob: User, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1"}}

    response = sign_in()

    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert "127.0.0.1" not in response.content.decode()


def test_a_second_factor_is_asked_for_and_its_code_is_taken_once(bob: User) -> None:
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(bob, secret)
    code = code_of(secret)

    without, wrong, right, again = sign_in(), sign_in(code="000000"), sign_in(code=code), sign_in(code=code)

    assert [response.status_code for response in (without, wrong, right, again)] == [401, 401, 200, 401]
    assert without.json()["error"]["code"] == "code_needed"
    assert sign_in(password="wrong").json()["error"]["code"] == "sign_in_refused"


def test_guessing_codes_is_slowed_down(bob: User) -> None:
    totp.TOTP.activate(bob, totp.generate_totp_secret())

    statuses = [sign_in(code=str(number)).status_code for number in range(6)]

    assert statuses == [401] * 5 + [429]


def test_a_token_costs_one_query(bob: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    access = sign_in().json()["access"]

    with django_assert_num_queries(2):  # the other counts the list
        assert opens(access)


def test_an_access_token_lasts_five_minutes_and_a_refresh_token_two_weeks(bob: User) -> None:
    pair = tokens.issue(user=bob)

    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1)):
        assert not opens(pair.access)
        pair = tokens.refresh(token=pair.refresh)
        assert opens(pair.access)
    with time_machine.travel(timezone.now() + timedelta(days=14, minutes=6)):
        assert refresh(pair.refresh).status_code == 401


def test_a_refresh_token_that_comes_twice_ends_its_family_and_no_other(bob: User) -> None:
    first, other = tokens.issue(user=bob), tokens.issue(user=bob)
    second = refresh(first.refresh).json()

    again = refresh(first.refresh)

    assert again.status_code == 401
    assert again.json()["error"]["code"] == "token_refused"
    assert not opens(first.access) and not opens(second["access"])
    assert refresh(second["refresh"]).status_code == 401
    assert opens(other.access)


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_wins(bob: User) -> None:
    token = tokens.issue(user=bob).refresh
    statuses: list[int] = []

    def attempt() -> None:
        statuses.append(refresh(token).status_code)
        connection.close()

    threads = [Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 401]


def test_a_new_password_ends_every_token_at_once(bob: User) -> None:
    pair = tokens.issue(user=bob)

    bob.set_password("another long passphrase")
    bob.save()

    assert not opens(pair.access)
    assert refresh(pair.refresh).status_code == 401


def test_a_disabled_account_is_out_at_once(bob: User) -> None:
    pair = tokens.issue(user=bob)

    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert not opens(pair.access)
    assert refresh(pair.refresh).status_code == 401


def test_tokens_of_a_deleted_account_are_refused_and_nothing_fails(bob: User) -> None:
    pair = tokens.issue(user=bob)

    bob.delete()

    assert not opens(pair.access)
    assert refresh(pair.refresh).status_code == 401


def test_a_revoked_sign_in_is_over_and_revoking_twice_changes_nothing(bob: User) -> None:
    pair, other = tokens.issue(user=bob), tokens.issue(user=bob)

    statuses = [
        post("/api/token/revoke/", {"refresh": text}).status_code
        for text in (pair.refresh, pair.refresh, "x")
    ]

    assert statuses == [204, 204, 204]
    assert not opens(pair.access)
    assert opens(other.access)


def test_only_the_newest_sign_ins_of_a_person_are_kept(bob: User) -> None:
    first = tokens.issue(user=bob)

    for _ in range(tokens.MOST_FAMILIES):
        tokens.issue(user=bob)

    assert not opens(first.access)
    assert TokenFamily.objects.filter(user=bob).count() == tokens.MOST_FAMILIES


FORGED: dict[str, dict[str, Any]] = {
    "no algorithm": {"algorithm": "none", "key": ""},
    "another key": {"key": "k" * 64},
    "the site's own key": {"key": django_settings.SECRET_KEY},
    "another algorithm": {"algorithm": "HS512"},
    "other audience": {"aud": "pages"},
    "other issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1},
    "from the future": {"nbf": 2**33},
    "no end": {"exp": None},
    "no id": {"jti": None},
    "no family": {"family": None},
    "a family of nobody": {"family": "00000000-0000-4000-8000-000000000000"},
    "no type": {"token_type": None},
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_token_opens_nothing(bob: User, forgery: str) -> None:
    key = str(django_settings.SIMPLE_JWT["SIGNING_KEY"])
    claims = jwt.decode(tokens.issue(user=bob).access, key, algorithms=["HS256"], audience="api")
    assert opens(jwt.encode(claims, key))
    changes = dict(FORGED[forgery])
    algorithm, key = changes.pop("algorithm", "HS256"), changes.pop("key", key)
    claims = {name: value for name, value in (claims | changes).items() if value is not None}

    assert not opens(jwt.encode(claims, key, algorithm))


def test_what_is_no_access_token_opens_nothing_and_breaks_nothing(bob: User) -> None:
    pair = tokens.issue(user=bob)

    for token in (pair.refresh, pair.access[:-2], "a.b.c", "x" * 100_000, "é", ".."):
        assert not opens(token), token
    assert refresh(pair.access).status_code == 401


def test_a_session_of_the_browser_opens_no_endpoint(client: Client, bob: User) -> None:
    client.force_login(bob)

    response = client.get("/api/subscriptions/")

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_read_only_token_stays_one_and_changes_nothing(bob: User) -> None:
    subscription = make_subscription(bob)
    pair = sign_in(read_only=True).json()
    access = refresh(pair["refresh"]).json()["access"]
    program = Client(headers={"Authorization": f"Bearer {access}"})

    assert program.get("/api/subscriptions/").status_code == 200
    assert program.post(f"/api/subscriptions/{subscription.pk}/pause").status_code == 403
    assert program.get("/api/exchanges/account-info/BINANCE").status_code == 403
    subscription.refresh_from_db()
    assert subscription.state == "ACTIVE"


@pytest.mark.parametrize(
    "body",
    [{}, {"username": "bob"}, SIGN_IN | {"user": 1}, SIGN_IN | {"password": ["x"]}, [], '"bob"', None, 5],
)
def test_a_sign_in_that_is_none_is_refused(bob: User, body: Any) -> None:
    response = post("/api/token/", body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid"


def test_a_person_sees_their_own_things_only(bob: User, charlie: User) -> None:
    make_subscription(bob)

    assert Program(bob).get("/api/subscriptions/").json()["count"] == 1
    assert Program(charlie).get("/api/subscriptions/").json()["count"] == 0
