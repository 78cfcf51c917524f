"""A key is used only when its exchange itself says that it can trade and cannot take money away."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pytest_django.fixtures import Settings

from exchanges import checking, gateways, tasks
from exchanges.accounts import replace_keys
from exchanges.ccxt_account import CcxtAccount
from exchanges.credentials import Credentials
from exchanges.errors import ExchangeError, ExchangeUnavailable, UnknownExchange
from exchanges.gateways import shared_budget
from exchanges.models import ExchangeAccount
from exchanges.vault import opened
from tests.exchanges.replay import CLOSED, replaying
from tests.exchanges.simulated import Simulator, Trader, simulating
from tests.factories import make_exchange_account

pytestmark = pytest.mark.django_db

State = ExchangeAccount.State
SECRET = "c4n4ry" + "s" * 58
PEM = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    .decode()
)
KEYS = {
    "BINANCE": ("k" * 64, SECRET),
    "COINBASE": ("organizations/a-b/apiKeys/c-d", PEM),
    "KRAKEN": ("k" * 56, base64.b64encode(b"s" * 64).decode()),
}
PATHS = {
    "BINANCE": "/sapi/v1/account/apiRestrictions",
    "COINBASE": "/api/v3/brokerage/key_permissions",
    "KRAKEN": "/0/private/GetApiKeyInfo",
}
KRAKEN_RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]
GOOD: dict[str, dict[str, Any]] = {
    "BINANCE": {
        "ipRestrict": True,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
    },
    "COINBASE": {"can_view": True, "can_trade": True, "can_transfer": False, "portfolio_uuid": "x"},
    "KRAKEN": {"permissions": KRAKEN_RIGHTS, "ipAllowlist": ["192.0.2.1"], "nonceWindow": "0"},
}
DANGEROUS: dict[str, dict[str, Any]] = {
    "BINANCE": {"enableWithdrawals": True},
    "COINBASE": {"can_transfer": True},
    "KRAKEN": {"permissions": [*KRAKEN_RIGHTS, "withdraw-funds"]},
}

type Serve = Callable[[Mapping[str, bytes]], None]


@pytest.fixture
def serve(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Have all exchanges answer with fixed replies."""
    settings.EXCHANGE_TESTNET_MODE = False
    with ExitStack() as servers:

        def start(replies: Mapping[str, bytes]) -> None:
            times = {"/api/v3/time": b'{"serverTime": 1790000000000}'}
            url = servers.enter_context(replaying({**times, **replies}))
            settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url

        yield start


def reply(exchange: str, **changes: Any) -> dict[str, bytes]:
    said = GOOD[exchange] | changes
    body = {"error": [], "result": said} if exchange == "KRAKEN" else said
    return {PATHS[exchange]: json.dumps(body).encode()}


def account_at(exchange: str, state: str = State.UNCHECKED) -> ExchangeAccount:
    api_key, secret = KEYS[exchange]
    return make_exchange_account(
        exchange=exchange, environment="LIVE", state=state, api_key=api_key, secret=secret
    )


@pytest.mark.parametrize("exchange", KEYS)
def test_a_key_that_trades_and_cannot_withdraw_is_ready(serve: Serve, exchange: str) -> None:
    serve(reply(exchange))
    account = account_at(exchange)

    tasks.check_account(account.pk)

    account.refresh_from_db()
    assert account.state == State.ACTIVE, account.state_reason
    assert account.checked_at is not None
    assert account.permissions["can_trade"] is True


@pytest.mark.parametrize("exchange", KEYS)
@pytest.mark.parametrize(
    ("before", "after"), [(State.UNCHECKED, State.REFUSED), (State.ACTIVE, State.LOST_RIGHTS)]
)
def test_a_key_that_may_withdraw_is_refused_with_what_to_do(
    serve: Serve, exchange: str, before: str, after: str
) -> None:
    serve(reply(exchange, **DANGEROUS[exchange]))
    account = account_at(exchange, before)

    tasks.check_account(account.pk)

    account.refresh_from_db()
    assert account.state == after
    assert "may withdraw or transfer" in account.state_reason
    assert "Make another one" in account.state_reason


@pytest.mark.parametrize("exchange", KEYS)
def test_an_answer_of_another_shape_is_no_permission(serve: Serve, exchange: str) -> None:
    serve({PATHS[exchange]: b'{"error": [], "result": {}}'})
    account = account_at(exchange)

    checking.check(account)

    account.refresh_from_db()
    assert account.state == State.REFUSED


@pytest.mark.parametrize("exchange", KEYS)
def test_no_answer_changes_nothing_and_giving_up_refuses(serve: Serve, exchange: str) -> None:
    serve({PATHS[exchange]: CLOSED})
    fresh = account_at(exchange)
    good = make_exchange_account(exchange=exchange, environment="LIVE", secret=KEYS[exchange][1])

    for account in (fresh, good):
        with pytest.raises(ExchangeUnavailable) as caught:
            checking.check(account)
        checking.give_up(account, caught.value)
        account.refresh_from_db()

    assert (fresh.state, good.state) == (State.REFUSED, State.ACTIVE)
    assert "could not be checked" in fresh.state_reason
    assert SECRET not in fresh.state_reason


@pytest.mark.parametrize("exchange", KEYS)
def test_what_an_exchange_says_of_a_key_is_told_without_the_key(serve: Serve, exchange: str) -> None:
    account, (api_key, secret) = account_at(exchange), KEYS[exchange]
    words = f"{quote(secret, safe='')} for {api_key} is not ours"
    said = {"BINANCE": {"code": -1, "msg": words}, "COINBASE": {"error": words}, "KRAKEN": {"error": [words]}}
    serve({PATHS[exchange]: json.dumps(said[exchange]).encode()})

    with opened(account) as credentials, pytest.raises(ExchangeError) as caught:
        gateways.account_client(exchange, "LIVE", credentials).fetch_rights()

    assert "[hidden] for [hidden] is not ours" in str(caught.value)


def test_keys_that_were_replaced_meanwhile_are_not_judged_by_the_old_ones(serve: Serve) -> None:
    serve(reply("BINANCE"))
    account = account_at("BINANCE")
    stale = ExchangeAccount.objects.get(pk=account.pk)
    replace_keys(account=account, credentials=Credentials("n" * 64, "n" * 64))

    with pytest.raises(ExchangeUnavailable, match="during the check"):
        checking.check(stale)

    account.refresh_from_db()
    assert account.state == State.UNCHECKED


def test_live_accounts_are_not_asked_where_they_are_forbidden(serve: Serve, settings: Settings) -> None:
    serve(reply("BINANCE"))
    account = account_at("BINANCE")
    settings.EXCHANGE_TESTNET_MODE = True

    checking.check(account)

    account.refresh_from_db()
    assert account.state == State.REFUSED
    assert "EXCHANGE_TESTNET_MODE" in account.state_reason


@pytest.mark.parametrize("exchange", ["COINBASE", "KRAKEN"])
@pytest.mark.parametrize("environment", ["TESTNET", "PAPER", "live"])
def test_what_an_exchange_does_not_have_is_never_live_instead(
    serve: Serve, settings: Settings, exchange: str, environment: str
) -> None:
    serve({})

    with pytest.raises(UnknownExchange, match=f"{exchange} has no {environment}"):
        CcxtAccount(
            exchange,
            environment,
            Credentials(*KEYS[exchange]),
            settings.EXCHANGE_SIMULATOR_URL,
            shared_budget(exchange),
        )


def test_a_testnet_client_reaches_the_testnet_alone() -> None:
    budget = shared_budget("BINANCE")
    account = CcxtAccount("BINANCE", "TESTNET", Credentials(*KEYS["BINANCE"]), None, budget)

    assert account.client.urls["api"]["private"].startswith("https://testnet.binance.vision/")
    with pytest.raises(requests.ConnectionError, match=r"refused to contact https://api.binance.com"):
        account.client.session.get("https://api.binance.com/api/v3/time")


@pytest.fixture
def simulator(settings: Settings) -> Iterator[Simulator]:
    """The simulated exchanges, which judge signatures and keys themselves."""
    settings.EXCHANGE_TESTNET_MODE = False
    with simulating() as simulator:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", simulator.url
        gateways.public_gateway.cache_clear()
        yield simulator
        gateways.public_gateway.cache_clear()


def stored(trader: Trader) -> ExchangeAccount:
    credentials = trader.credentials
    return make_exchange_account(
        exchange=trader.exchange,
        environment=trader.environment,
        state=State.UNCHECKED,
        api_key=credentials.api_key,
        secret=credentials.secret,
    )


@pytest.mark.parametrize("exchange", KEYS)
@pytest.mark.parametrize(
    ("rights", "state", "words"),
    [
        (["read", "trade"], State.ACTIVE, ""),
        (["read", "trade", "withdraw"], State.REFUSED, "may withdraw or transfer"),
        (["read"], State.REFUSED, "may not place and cancel orders"),
        (["trade"], State.REFUSED, "may not read balances|does not accept this key"),
    ],
)
def test_an_exchange_that_checks_signatures_tells_what_a_key_may_do(
    simulator: Simulator, exchange: str, rights: list[str], state: str, words: str
) -> None:
    account = stored(simulator.trader(exchange, rights=rights))

    tasks.check_account(account.pk)

    account.refresh_from_db()
    assert account.state == state, account.state_reason
    assert re.search(words, account.state_reason)


@pytest.mark.parametrize("exchange", KEYS)
def test_a_secret_that_is_not_the_keys_is_refused(simulator: Simulator, exchange: str) -> None:
    trader, other = simulator.trader(exchange), simulator.trader(exchange)
    mixed = Credentials(trader.credentials.api_key, other.credentials.secret)
    account = stored(replace(trader, credentials=mixed))

    tasks.check_account(account.pk)

    account.refresh_from_db()
    assert account.state == State.REFUSED
    assert "does not accept this key" in account.state_reason


def test_coinbases_other_kind_of_key_is_checked_too(simulator: Simulator) -> None:
    account = stored(simulator.trader("COINBASE", kind="ed25519"))

    tasks.check_account(account.pk)

    account.refresh_from_db()
    assert account.state == State.ACTIVE, account.state_reason


def test_a_testnet_key_works_at_the_testnet_and_is_unknown_at_the_exchange(simulator: Simulator) -> None:
    account = stored(simulator.trader("BINANCE", "TESTNET"))
    tasks.check_account(account.pk)
    account.refresh_from_db()
    assert account.state == State.ACTIVE, account.state_reason

    live = stored(replace(simulator.trader("BINANCE", "TESTNET"), environment="LIVE"))

    tasks.check_account(live.pk)

    live.refresh_from_db()
    assert live.state == State.REFUSED


@pytest.mark.parametrize("exchange", KEYS)
def test_a_key_that_was_good_and_is_revoked_loses_its_rights(simulator: Simulator, exchange: str) -> None:
    trader = simulator.trader(exchange)
    account = stored(trader)
    tasks.check_account(account.pk)
    trader.control("account", key=trader.credentials.api_key, is_revoked=True)

    tasks.check_account(account.pk)

    account.refresh_from_db()
    assert account.state == State.LOST_RIGHTS
    assert trader.credentials.secret not in account.state_reason
