import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import tokens
from accounts.models import User
from bot_sdk.parameters import Parameter
from bots.models import Bot
from bots.publishing import publish_version
from subscriptions.models import Subscription
from tests.factories import (
    BUYING_BOT,
    Program,
    make_bot,
    make_exchange_account,
    make_market,
    make_subscription,
)

pytestmark = pytest.mark.django_db

ADDRESS = "/api/subscriptions/"


@pytest.fixture
def bot(alice: User) -> Bot:
    make_market()
    return make_bot(alice, parameters=[Parameter("rsi_period", "integer", 14, "Period", 2, 100)])


@pytest.fixture
def wish(bot: Bot) -> dict[str, Any]:
    """The guide's own document, and the capital."""
    return {
        "bot_id": bot.pk,
        "exchange_type": "BINANCE",
        "trading_pair": "BTC/USDT",
        "timeframe": "1h",
        "allocated_capital": "2500.50",
        "strategy_config": {"rsi_period": 21},
        "execution_config": {
            "buy_order_type": "PERCENTAGE",
            "buy_order_value": 10.0,
            "sell_order_type": "ALL",
        },
        "risk_config": {"stop_loss_percent": 5.0, "take_profit_percent": 10.0, "max_position_size": "20.25"},
    }


def test_a_subscription_begins_as_it_does_on_the_page(bob: User, wish: dict[str, Any]) -> None:
    response = Program(bob).send(ADDRESS, wish)

    subscription = Subscription.objects.get()
    told = response.json()
    assert response.status_code == 201
    assert (subscription.trader, subscription.account) == (bob, None)
    assert subscription.allocated_capital == Decimal("2500.50")
    assert subscription.risk_config["max_position_size"] == 20.25
    assert told["allocated_capital"] == "2500.5"
    assert told["execution_config"]["buy_order_value"] == "10"
    assert told["risk_config"]["trailing_stop_percent"] is None
    assert told["risk_in_force"]["max_orders_per_day"] == 200
    assert told["created_at"].endswith("Z")
    assert Program(bob).get(f"{ADDRESS}{subscription.pk}/").json() == told


@pytest.mark.parametrize(
    "amount", [-1, 0, "0", "-1", "0.1e-30", "9" * 40, "NaN", "1e400", 10**9 + 1, "4", ""]
)
def test_a_capital_that_is_no_amount_is_refused(bob: User, wish: dict[str, Any], amount: Any) -> None:
    response = Program(bob).send(ADDRESS, wish | {"allocated_capital": amount})

    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["allocated_capital"]


def test_an_amount_as_a_number_loses_no_digit(bob: User, wish: dict[str, Any]) -> None:
    body = '{"allocated_capital": 1234567.123456789012345678, '
    body += ", ".join(
        f'"{name}": {text}'
        for name, text in {
            "bot_id": wish["bot_id"],
            "exchange_type": '"BINANCE"',
            "trading_pair": '"BTC/USDT"',
            "timeframe": '"1h"',
            "execution_config": '{"buy_order_type": "ALL", "sell_order_type": "ALL"}',
        }.items()
    )

    response = Program(bob).generic("POST", ADDRESS, body + "}", "application/json")

    assert response.json()["allocated_capital"] == "1234567.123456789012345678"


def within(config: str, **values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda wish: wish | {config: wish[config] | values}


def instead(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda wish: wish | values


BAD = [
    (instead(trading_pair="BTC/USDT; DROP"), "trading_pair"),
    (instead(trading_pair="DOGE/USDT"), "trading_pair"),
    (instead(timeframe="7m"), "timeframe"),
    (instead(timeframe=0), "timeframe"),
    (instead(exchange_type="binance"), "exchange_type"),
    (instead(exchange_type="FTX"), "exchange_type"),
    (instead(strategy_config={"rsi_period": 1}), "strategy_config.rsi_period"),
    (instead(strategy_config={"rsi_period": 1.5}), "strategy_config.rsi_period"),
    (instead(strategy_config={"rsi_period": "14"}), "strategy_config.rsi_period"),
    (instead(strategy_config={"__class__": 1}), "strategy_config.__class__"),
    (instead(strategy_config={"constructor": 1}), "strategy_config.constructor"),
    (instead(strategy_config=[]), "strategy_config"),
    (within("execution_config", buy_order_value=100.01), "execution_config.buy_order_value"),
    (within("execution_config", buy_order_type="HALF"), "execution_config.buy_order_type"),
    (within("execution_config", sell_order_value=5), "execution_config.sell_order_value"),
    (within("execution_config", slippage=1), "execution_config.slippage"),
    (within("execution_config", limit_offset_percent=1), "execution_config.limit_offset_percent"),
    (within("risk_config", stop_loss_percent=0), "risk_config.stop_loss_percent"),
    (within("risk_config", stop_loss_percent=True), "risk_config.stop_loss_percent"),
    (within("risk_config", max_orders_per_day=1.5), "risk_config.max_orders_per_day"),
    (within("risk_config", stop_los_percent=5), "risk_config.stop_los_percent"),
    (instead(execution_config="x"), "execution_config"),
    (instead(risk_config=None), "risk_config"),
    (instead(bot_id="x"), "bot_id"),
    (instead(bot_id=-1), "bot_id"),
]


@pytest.mark.parametrize(("change", "field"), BAD, ids=[field for _, field in BAD])
def test_a_wrong_value_is_named_by_its_path(
    bob: User, wish: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]], field: str
) -> None:
    response = Program(bob).send(ADDRESS, change(wish))

    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    "name", ["id", "trader", "trader_id", "version", "state", "state_reason", "risk_in_force", "created_at"]
)
def test_what_the_platform_decides_cannot_be_set(
    bob: User, charlie: User, wish: dict[str, Any], name: str
) -> None:
    response = Program(bob).send(ADDRESS, wish | {name: charlie.pk})

    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [name]


def test_anothers_account_looks_like_a_missing_one(bob: User, charlie: User, wish: dict[str, Any]) -> None:
    others = make_exchange_account(charlie)

    other = Program(bob).send(ADDRESS, wish | {"account_id": others.pk})
    missing = Program(bob).send(ADDRESS, wish | {"account_id": 2**70})

    assert (other.status_code, missing.status_code) == (404, 404)
    assert other.content == missing.content


def test_hidden_bots_look_like_missing_ones_and_retired_ones_take_nobody(
    bob: User, bot: Bot, wish: dict[str, Any]
) -> None:
    statuses = {}
    for state in ("DRAFT", "SUSPENDED", "RETIRED"):
        Bot.objects.filter(pk=bot.pk).update(state=state)
        statuses[state] = Program(bob).send(ADDRESS, wish).status_code

    assert statuses == {"DRAFT": 404, "SUSPENDED": 404, "RETIRED": 409}


def test_nothing_begins_with_real_money_whatever_token_asks(
    bob: User, wish: dict[str, Any], settings: Settings
) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    account = make_exchange_account(
        bob,
        environment="LIVE",
        balances={"USDT": {"free": "5000", "locked": "0"}},
        balances_at="2026-03-02T12:00Z",
    )

    refused = Program(bob).send(ADDRESS, wish | {"account_id": account.pk})

    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["account_id"])
    assert "/api/subscriptions/{id}/go-live" in refused.json()["error"]["fields"]["account_id"]
    assert not Subscription.objects.exists()


def test_pause_resume_and_stop_do_what_the_buttons_do(bob: User) -> None:
    subscription = make_subscription(bob)
    program, address = Program(bob), f"{ADDRESS}{subscription.pk}/"

    states = [
        program.send(address + deed).json()["state"] for deed in ("pause", "pause", "resume", "stop", "stop")
    ]

    assert states == ["PAUSED", "PAUSED", "ACTIVE", "STOPPED", "STOPPED"]
    refused = program.send(address + "resume")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert program.send(address + "pause", {"reason": "x"}).status_code == 400


def test_anothers_subscription_looks_like_a_missing_one(bob: User, charlie: User) -> None:
    subscription = make_subscription(bob)
    program = Program(charlie)

    for ask, deed in (
        (program.get, ""),
        (program.get, "trades"),
        (program.get, "performance"),
        (program.send, "pause"),
        (program.send, "resume"),
        (program.send, "stop"),
        (program.send, "execute"),
    ):
        other = ask(f"{ADDRESS}{subscription.pk}/{deed}")
        missing = ask(f"{ADDRESS}{subscription.pk + 1000}/{deed}")
        assert (other.status_code, other.content) == (404, missing.content), deed
    subscription.refresh_from_db()
    assert subscription.state == "ACTIVE"


def test_more_subscriptions_take_no_more_queries(
    bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    program = Program(bob)
    for _ in range(3):
        make_subscription(bob)

    with django_assert_num_queries(3):
        assert len(program.get(ADDRESS).json()["results"]) == 3


def test_the_same_request_with_its_key_has_one_effect_and_one_answer(bob: User, wish: dict[str, Any]) -> None:
    program = Program(bob)

    first = program.send(ADDRESS, wish, Idempotency_Key="one")
    again = program.send(ADDRESS, wish, Idempotency_Key="one")
    other = program.send(ADDRESS, wish | {"timeframe": "1d"}, Idempotency_Key="one")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")
    assert Subscription.objects.count() == 1


def test_a_key_is_ones_own_and_a_failure_uses_none_up(bob: User, charlie: User, wish: dict[str, Any]) -> None:
    refused = Program(bob).send(ADDRESS, wish | {"timeframe": "7m"}, Idempotency_Key="one")
    taken = [Program(person).send(ADDRESS, wish, Idempotency_Key="one") for person in (bob, charlie)]

    assert refused.status_code == 400
    assert [response.status_code for response in taken] == [201, 201]


@pytest.mark.parametrize("key", ["", "x" * 256, "with\ttab"])
def test_a_key_that_is_none_is_refused(bob: User, wish: dict[str, Any], key: str) -> None:
    assert Program(bob).send(ADDRESS, wish, Idempotency_Key=key).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_twins_at_once_have_one_effect_and_one_answer(bob: User, wish: dict[str, Any]) -> None:
    access = tokens.issue(user=bob).access
    headers = {"Authorization": f"Bearer {access}", "Idempotency-Key": "one"}

    def attempt(_: int) -> Any:
        try:
            return Client(headers=headers).post(ADDRESS, wish, "application/json")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(attempt, range(4)))

    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert Subscription.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_while_a_change_waits_for_an_order_on_its_way_no_row_is_locked(bob: User, bot: Bot) -> None:
    running = make_subscription(bob, bot=bot, strategy_config={"rsi_period": 14})
    row = Subscription.objects.filter(pk=running.pk)
    row.update(sending_until=timezone.now() + timedelta(seconds=30))
    program, wanted = Program(bob), {"revision": 0, "risk_config": {}}

    def change() -> Any:
        try:
            return program.send(f"{ADDRESS}{running.pk}/settings", wanted, Idempotency_Key="one")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(change)
        while not row.filter(revision=1).exists():
            assert timezone.now() < row.get().sending_until  # type: ignore[operator]
            time.sleep(0.02)
        assert not answer.done()
        row.update(sending_until=None)  # the order has left, and whoever sent it can say so
        told = answer.result()

    leaves_until = timezone.now() + timedelta(seconds=0.3)
    row.update(sending_until=leaves_until)
    again = program.send(f"{ADDRESS}{running.pk}/settings", wanted, Idempotency_Key="one")
    assert (told.status_code, again.content) == (200, told.content)
    assert timezone.now() >= leaves_until


@pytest.fixture
def running(bob: User, bot: Bot) -> Subscription:
    return make_subscription(bob, bot=bot, strategy_config={"rsi_period": 14})


def test_settings_are_changed_document_by_document(bob: User, running: Subscription) -> None:
    address = f"{ADDRESS}{running.pk}/settings"
    wanted = {"revision": 0, "risk_config": {"stop_loss_percent": "3"}}

    told = Program(bob).send(address, wanted, Idempotency_Key="a")
    again = Program(bob).send(address, wanted, Idempotency_Key="a")
    late = Program(bob).send(address, wanted)

    assert (told.status_code, told.json()) == (200, again.json())
    assert told.json()["revision"] == 1
    assert late.status_code == 409
    running.refresh_from_db()
    assert (running.risk_config, running.strategy_config) == ({"stop_loss_percent": 3}, {"rsi_period": 14})
    assert running.changes.count() == 1


def test_bad_settings_are_told_by_field(bob: User, running: Subscription) -> None:
    wanted = {"revision": 0, "risk_config": {"stop_loss_percent": 500}, "strategy_config": {"rsi_period": 1}}

    told = Program(bob).send(f"{ADDRESS}{running.pk}/settings", wanted)

    assert told.status_code == 400
    assert set(told.json()["error"]["fields"]) == {
        "risk_config.stop_loss_percent",
        "strategy_config.rsi_period",
    }


def test_another_version_decides_after_a_move(bob: User, running: Subscription) -> None:
    publish_version(bot=running.bot, number="v1.1.0", code=BUYING_BOT)
    address = f"{ADDRESS}{running.pk}/version"

    missing = Program(bob).send(address, {"revision": 0, "to_version": "v9.9.9"})
    told = Program(bob).send(address, {"revision": 0, "to_version": "v1.1.0"})

    assert (missing.status_code, told.status_code) == (404, 200)
    assert told.json()["version"] == "v1.1.0"


def test_what_is_held_is_sold_before_it_stops(bob: User, running: Subscription) -> None:
    told = Program(bob).send(f"{ADDRESS}{running.pk}/sell-and-stop")

    assert (told.status_code, told.json()["state"]) == (200, "CLOSING")


def test_what_is_live_is_changed_by_fresh_tokens_only(
    bob: User, running: Subscription, settings: Settings
) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    account = make_exchange_account(bob, environment="LIVE")
    Subscription.objects.filter(pk=running.pk).update(account=account, state="PAUSED")
    program, own = Program(bob), f"{ADDRESS}{running.pk}"
    wishes: list[tuple[str, Any]] = [
        ("settings", {"revision": 0, "risk_config": {}}),
        ("version", {"revision": 1, "to_version": "v1.0.0"}),
        ("capital", {"revision": 1, "allocated_capital": "9000"}),
        ("resume", None),
    ]

    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -10
    refused = [program.send(f"{own}/{deed}", body) for deed, body in wishes]
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    taken = [program.send(f"{own}/{deed}", body) for deed, body in wishes]

    assert {answer.json()["error"]["code"] for answer in refused} == {"password_needed"}
    assert [answer.status_code for answer in taken] == [200, 200, 200, 200]


@pytest.mark.parametrize("deed", ["settings", "version", "sell-and-stop"])
def test_others_subscriptions_are_not_there_to_be_changed(
    charlie: User, running: Subscription, deed: str
) -> None:
    body = {"settings": {"revision": 0}, "version": {"revision": 0, "to_version": "v1.0.0"}}.get(deed)

    assert Program(charlie).send(f"{ADDRESS}{running.pk}/{deed}", body).status_code == 404
    assert Client().post(f"{ADDRESS}{running.pk}/{deed}").status_code == 401
