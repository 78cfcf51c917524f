"""Keys go through everything that touches keys, and afterwards nothing has a piece of them (I13)."""

import logging
import uuid
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.apps import apps
from django.core import mail
from django.db import connection
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from accounts.models import User
from exchanges import gateways, tasks
from exchanges.ccxt_trading import CcxtTrading
from exchanges.errors import ExchangeError
from exchanges.gateways import account_client, public_gateway, shared_redis
from exchanges.models import ExchangeAccount
from exchanges.vault import opened
from marketplace.celery import app as celery_app
from tests.exchanges.simulated import PAIR, Simulator, Trader, simulating
from tests.factories import give_password, make_user, sign_in_staff

pytestmark = pytest.mark.django_db
ADD = "/exchange-accounts/add/"
MIDDLE = slice(20, 44)  # of a key: what no hint, header or PEM line shows by rights


@pytest.fixture
def simulator(settings: Settings) -> Iterator[Simulator]:
    settings.EXCHANGE_TESTNET_MODE = False
    celery_app.control.purge()
    with simulating(has_limits=False) as simulator:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", simulator.url
        gateways.public_gateway.cache_clear()
        yield simulator
        gateways.public_gateway.cache_clear()
    celery_app.control.purge()


def marks_of(trader: Trader) -> set[str]:
    """Return pieces of the key and of the secret, as they are and as a database would show bytes."""
    key = trader.credentials.api_key[MIDDLE]
    secret = trader.credentials.secret.replace("\n", "")[40:64]
    return {piece for text in (key, secret) for piece in (text, text.encode().hex())}


def in_the_database() -> str:
    """Return every row of every table as text."""
    rows: list[str] = []
    with connection.cursor() as cursor:
        for table in [model._meta.db_table for model in apps.get_models(include_auto_created=True)]:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def in_redis() -> str:
    """Return every key of the broker and cache with its value as stored."""
    server = shared_redis()
    return "\n".join(f"{name!r} {server.dump(name)!r}" for name in server.scan_iter())


def add_by_page(client: Client, trader: Trader) -> ExchangeAccount:
    client.post(
        ADD,
        {
            "label": f"At {trader.name}",
            "exchange": trader.exchange,
            "environment": trader.environment,
            "api_key": trader.credentials.api_key,
            "secret": trader.credentials.secret,
        },
    )
    return ExchangeAccount.objects.get(label=f"At {trader.name}")


def trade(account: ExchangeAccount, simulator: Simulator, trader: Trader) -> list[str]:
    """Order, look up and fail in many ways; return what the failures said."""
    rules = simulator.rules(account.exchange)
    ticker = public_gateway(account.exchange).fetch_ticker(PAIR)
    said: list[str] = []
    with opened(account) as credentials:
        client = account_client(account.exchange, account.environment, credentials)
        client.client.timeout = 500  # ms
        trading = CcxtTrading(client, PAIR, rules, ticker)
        for fault in ({}, {"kind": "drop"}, {"kind": "garbage"}, {"kind": "status", "status": 400}):
            for deed in (
                lambda: trading.create_market_order(PAIR, "SELL", Decimal("0.001"), str(uuid.uuid4())),
                lambda: trading.create_market_order(PAIR, "SELL", Decimal(500), str(uuid.uuid4())),
                client.fetch_balances,
                client.fetch_rights,
            ):
                if fault:
                    trader.control("fault", **fault)
                try:
                    deed()
                except ExchangeError as error:
                    hidden = error.__suppress_context__
                    said.append(f"{error!r} {error.__cause__!r} {None if hidden else error.__context__!r}")
                trader.control("fault")
    return said


def test_no_key_leaves_the_vault(
    simulator: Simulator,
    client: Client,
    bob: User,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    caplog.set_level(logging.DEBUG)
    traders = [
        simulator.trader("BINANCE"),
        simulator.trader("BINANCE", "TESTNET"),
        simulator.trader("COINBASE"),
        simulator.trader("KRAKEN"),
    ]
    seen: list[str] = []
    client.force_login(bob)
    give_password(client)
    with django_capture_on_commit_callbacks(execute=True):
        owned = [add_by_page(client, trader) for trader in traders]
    for account, trader in zip(owned, traders, strict=True):
        tasks.check_account(account.pk)
        account.refresh_from_db()
        assert account.state == ExchangeAccount.State.ACTIVE, account.state_reason
        seen += trade(account, simulator, trader)
        pages = ("/exchange-accounts/", account.get_absolute_url())
        seen += [client.get(page).content.decode() for page in pages]
        seen += [repr(account), str(account), repr(account.__dict__.keys())]
        wrong = {"api_key": trader.credentials.secret, "secret": trader.credentials.api_key}  # swapped
        seen.append(client.post(f"/exchange-accounts/{account.pk}/keys/", wrong).content.decode())
    sign_in_staff(client, make_user("mona", is_staff=True, is_superuser=True))
    lists = ("", *(f"{account.pk}/change/" for account in owned))
    seen += [client.get(f"/admin/exchanges/exchangeaccount/{page}").content.decode() for page in lists]
    seen += [str(message.message()) for message in mail.outbox]
    everything = "\n".join([*seen, caplog.text, in_the_database(), in_redis()])

    for trader in traders:
        assert [mark for mark in marks_of(trader) if mark in everything] == []


def test_the_control_arm_a_key_in_a_label_is_found(
    simulator: Simulator, client: Client, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    trader = simulator.trader("BINANCE")
    account = ExchangeAccount.objects.create(
        owner=bob, exchange="BINANCE", environment="PAPER", label=trader.credentials.api_key[:60]
    )
    shared_redis().set("canary", trader.credentials.secret, ex=5)
    logging.getLogger("anything").warning("%s", trader.credentials.secret)

    client.force_login(bob)
    page = client.get(account.get_absolute_url()).content.decode()

    key, secret = trader.credentials.api_key[MIDDLE], trader.credentials.secret[40:64]
    assert [key in page, key in in_the_database(), secret in in_redis(), secret in caplog.text] == [True] * 4
