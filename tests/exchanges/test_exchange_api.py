from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import tokens
from accounts.models import User
from exchanges.models import ExchangeAccount
from tests.factories import Program, make_exchange_account, make_subscription

pytestmark = pytest.mark.django_db

VALIDATE = "/api/exchanges/validate-credentials"
KEY, SECRET = "K" * 60 + "1234", "s" * 64
KEYS = {
    "label": "Small bots",
    "exchange_type": "BINANCE",
    "environment": "TESTNET",
    "api_key": KEY,
    "secret": SECRET,
}


def test_anyone_sees_which_exchanges_there_are(client: Client, settings: Settings) -> None:
    settings.SUPPORTED_EXCHANGES, settings.DEFAULT_EXCHANGE = ["COINBASE"], "COINBASE"

    found = client.get("/api/exchanges/supported").json()

    assert found["default"] == "COINBASE"
    [exchange] = found["exchanges"]
    assert (exchange["exchange_type"], exchange["name"]) == ("COINBASE", "Coinbase")
    assert "1h" in exchange["timeframes"] and "4h" not in exchange["timeframes"]


@pytest.mark.django_db(transaction=True)
def test_keys_are_stored_sealed_and_a_worker_asks_the_exchange(bob: User, published: list[Any]) -> None:
    response = Program(bob).send(VALIDATE, KEYS)

    account = ExchangeAccount.objects.get(owner=bob)
    told = response.json()
    assert response.status_code == 202
    assert (told["account"]["id"], told["account"]["state"]) == (account.pk, "UNCHECKED")
    assert told["account"]["api_key_hint"] == "1234"
    assert KEY.encode() not in bytes(account.sealed)
    assert KEY not in response.content.decode() and SECRET not in response.content.decode()
    assert published == [("exchanges.tasks.check_account", [account.pk])]
    [found] = Program(bob).get(told["ask_at"]).json()["results"]
    assert found == told["account"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"api_key": "too short"}, "api_key"),
        ({"secret": ""}, "secret"),
        ({"secret": "x" * 5000}, "secret"),
        ({"exchange_type": "binance"}, "exchange_type"),
        ({"exchange_type": "KRAKEN"}, "environment"),
        ({"environment": "PAPER"}, "environment"),
        ({"environment": "LIVE"}, "environment"),
        ({"label": "x" * 61}, "label"),
        ({"state": "ACTIVE"}, "state"),
        ({"owner": 1}, "owner"),
        ({"permissions": {"can_trade": True}}, "permissions"),
    ],
)
def test_what_cannot_be_an_account_is_refused_by_name(bob: User, changes: Any, field: str) -> None:
    response = Program(bob).send(VALIDATE, KEYS | changes)

    assert response.status_code == 400
    assert field in response.json()["error"]["fields"]
    assert not ExchangeAccount.objects.exists()
    assert KEY not in response.content.decode() and SECRET not in response.content.decode()


def test_a_key_in_use_is_refused_without_saying_whose(bob: User, charlie: User) -> None:
    make_exchange_account(charlie, api_key=KEY)

    response = Program(bob).send(VALIDATE, KEYS)

    assert response.status_code == 400
    assert "in use here already" in response.json()["error"]["fields"]["api_key"]
    assert "charlie" not in response.content.decode()


def test_keys_need_a_password_that_was_given_lately(bob: User) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        pair = tokens.issue(user=bob)
        clock.move_to(now + timedelta(minutes=4, seconds=55))
        pair = tokens.refresh(token=pair.refresh)
        program = Client(headers={"Authorization": f"Bearer {pair.access}"})
        assert program.post(VALIDATE, KEYS, "application/json").status_code == 202

        clock.move_to(now + timedelta(minutes=5, seconds=5))
        response = program.post(VALIDATE, KEYS, "application/json")

    assert (response.status_code, response.json()["error"]["code"]) == (403, "password_needed")


def test_accounts_and_balances_are_ones_own(bob: User, charlie: User) -> None:
    held = {"USDT": {"free": "1000.50", "locked": "0"}, "BTC": {"free": "1E-8", "locked": "0.5"}}
    own = make_exchange_account(bob, balances=held, balances_at=timezone.now())
    make_exchange_account(charlie)

    [info] = Program(bob).get("/api/exchanges/account-info/BINANCE").json()["results"]
    [balance] = Program(bob).get("/api/exchanges/balance/BINANCE").json()["results"]

    assert (info["id"], info["api_key_hint"]) == (own.pk, own.api_key_hint)
    assert not {"sealed", "key_id", "key_fingerprint", "api_key", "secret", "owner"} & set(info)
    assert balance["account_id"] == own.pk
    assert balance["balances"]["USDT"] == {"free": "1000.5", "locked": "0"}
    assert balance["balances"]["BTC"] == {"free": "0.00000001", "locked": "0.5"}
    assert balance["balances_at"].endswith("Z")


def test_an_account_that_nothing_uses_is_deleted(bob: User, charlie: User) -> None:
    refused, used = make_exchange_account(bob, state="REFUSED"), make_exchange_account(bob)
    make_subscription(bob, account=used)
    others = make_exchange_account(charlie)
    address, program = "/api/exchanges/accounts/{}", Program(bob)

    with time_machine.travel(timezone.now() - timedelta(minutes=6)):
        late = tokens.issue(user=bob)
    late_program = Client(headers={"Authorization": f"Bearer {tokens.refresh(token=late.refresh).access}"})
    late_status = late_program.delete(address.format(refused.pk)).status_code
    read_only = Program(bob, is_read_only=True).delete(address.format(refused.pk)).status_code
    statuses = [program.delete(address.format(each.pk)).status_code for each in (refused, used, others)]

    assert (late_status, read_only, statuses) == (403, 403, [204, 409, 404])
    assert set(ExchangeAccount.objects.all()) == {used, others}


@pytest.mark.parametrize("exchange", ["FTX", "binance", "%00", "KRAKEN%20"])
def test_an_exchange_that_is_none_of_ours_is_not_found(bob: User, exchange: str) -> None:
    for page in ("account-info", "balance"):
        assert Program(bob).get(f"/api/exchanges/{page}/{exchange}").status_code == 404


@pytest.mark.parametrize("page", ["account-info", "balance"])
def test_more_accounts_take_no_more_queries(
    bob: User, page: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    program = Program(bob)
    for _ in range(3):
        make_exchange_account(bob)

    with django_assert_num_queries(3):
        program.get(f"/api/exchanges/{page}/BINANCE")
