"""How a bot's newest signals would have fared with somebody's account, asked for before subscribing."""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from bots.models import Bot
from exchanges.models import ExchangeAccount
from execution.account_fit import newest_signals
from execution.models import BotRecord
from marketplace import roles
from subscriptions.models import Subscription
from tests.factories import (
    make_backtest,
    make_bot,
    make_cycle,
    make_exchange_account,
    make_fill,
    make_market,
    make_order,
    make_staff,
    make_subscription,
    sign_in_staff,
)

pytestmark = pytest.mark.django_db

ADDRESS = "/bots/steady/with-my-account/"
SIGNALS = [("BUY", 100.0), ("SELL", 110.0), ("SELL", 110.0), ("BUY", 100.0)]
PERCENTAGE = {"buy_order_type": "PERCENTAGE", "buy_order_value": "10"}
QUERIES = 8  # session, person, bot, version, its run and its record, market, accounts to choose


@pytest.fixture
def bot(alice: User) -> Bot:
    return make_bot(alice, name="Steady", slug="steady")


@pytest.fixture
def bobs(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def make_signals(bot: Bot, signals: Sequence[tuple[str, float]] = SIGNALS, **market: Any) -> None:
    told = [
        {"at": f"2026-01-0{day}T00:00:00+00:00", "action": action, "price": price, "source": "bot"}
        for day, (action, price) in enumerate(signals, start=1)
    ]
    rules = {"minimum_cost": Decimal(10), "amount_step": Decimal("0.001"), **market}
    backtest = make_backtest(
        bot=bot, market=make_market(**rules), state="DONE", report={"newest_signals": told}
    )
    BotRecord.objects.create(
        version=backtest.version, kind="BACKTEST", backtest=backtest, measured_at=timezone.now()
    )


def make_account(owner: User, free: str = "500", **overrides: Any) -> ExchangeAccount:
    account = make_exchange_account(
        owner, label="Main", balances={"USDT": {"free": free, "locked": "0"}}, **overrides
    )
    age = timedelta(minutes=1)
    ExchangeAccount.objects.filter(pk=account.pk).update(balances_at=timezone.now() - age)
    return account


def text(client: Client, **asked: Any) -> str:
    answer = client.get(ADDRESS, asked)
    assert answer.status_code == 200
    shown = re.sub(r"<[^>]*>", " ", answer.content.decode().partition("<main")[2])
    return " ".join(shown.replace("\N{NARROW NO-BREAK SPACE}", " ").split())


def test_it_says_how_many_signals_pass_why_others_do_not_and_what_it_takes(bot: Bot, bobs: Client) -> None:
    make_signals(bot)

    shown = text(bobs)

    assert "3 of 4 signals would have become orders" in shown
    assert "with 1 000.00 USDT on BTC/USDT on Binance: 2 buys and 1 sale." in shown
    assert "The bot wanted to sell, but nothing is held. 1" in shown
    assert "Capital that this bot needs 100.00 USDT" in shown
    assert "Fees in all 0.31 USDT" in shown
    assert "Fee of an order 0.1 %" in shown
    assert "Smallest order 10.00 USDT" in shown


def test_too_little_capital_lets_nothing_through(bot: Bot, bobs: Client) -> None:
    make_signals(bot)

    shown = text(bobs, capital="99", **PERCENTAGE)

    assert "0 of 4 signals" in shown
    assert "The order would be worth less than the exchange accepts. 2" in shown
    assert "With less some buys are too small, or cannot be paid." in shown
    assert "No capital suffices" in text(bobs, capital="99", buy_order_type="FIXED", buy_order_value="5")


def test_all_pass_when_all_do(bot: Bot, bobs: Client) -> None:
    make_signals(bot, SIGNALS[:2])

    assert "All 2 signals would have become orders" in text(bobs)


def test_an_account_brings_what_is_free_on_it(bot: Bot, bobs: Client, bob: User) -> None:
    make_signals(bot)
    account = make_account(bob)
    make_subscription(bob, account=account, allocated_capital=Decimal(300))

    shown = text(bobs, account=account.pk, capital="", **PERCENTAGE)

    assert "200.00 USDT of Main are free, as Binance told" in shown
    assert "with 200.00 USDT on BTC/USDT" in shown
    more = text(bobs, account=account.pk, capital="201", **PERCENTAGE)
    assert "has 200 USDT that no subscription uses. Enter at most that" in more
    assert "would have become orders" not in more


def test_an_old_balance_is_read_again_by_a_worker_once_a_minute(
    bot: Bot, bobs: Client, bob: User, published: list[tuple[str, list[Any]]]
) -> None:
    make_signals(bot)
    account = make_account(bob)
    text(bobs, account=account.pk, **PERCENTAGE)
    assert published == []
    ExchangeAccount.objects.update(balances_at=timezone.now() - timedelta(hours=3))

    shown = [text(bobs, account=account.pk, **PERCENTAGE) for _ in range(2)]

    assert published == [("exchanges.tasks.read_balances", [account.pk])]
    for each in shown:
        assert "as Binance told 3 hours ago. It is being asked again" in each
        assert "3 of 4 signals" in each
    ExchangeAccount.objects.update(balances_at=None)
    assert "What Main holds is being read. Try again" in text(bobs, account=account.pk, **PERCENTAGE)


def test_without_a_queue_it_says_that_the_exchange_cannot_be_asked(
    bot: Bot, bobs: Client, bob: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_signals(bot)
    account = make_account(bob)
    ExchangeAccount.objects.update(balances_at=timezone.now() - timedelta(hours=3))
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}

    assert "It cannot be asked just now." in text(bobs, account=account.pk, **PERCENTAGE)


def test_an_account_that_cannot_tell_says_so(bot: Bot, bobs: Client, bob: User) -> None:
    make_signals(bot)
    account = make_account(bob, state="REFUSED")
    elsewhere = make_exchange_account(bob, exchange="KRAKEN", environment="LIVE")

    assert "Main is not usable now; its page says why." in text(bobs, account=account.pk, **PERCENTAGE)
    assert "Kraken has no BTC/USDT here" in text(bobs, account=elsewhere.pk, **PERCENTAGE)


def test_the_rules_are_those_of_the_accounts_own_exchange(bot: Bot, bobs: Client, bob: User) -> None:
    make_signals(bot)
    make_market(exchange="KRAKEN", minimum_cost=Decimal(50), amount_step=Decimal("0.001"))
    account = make_exchange_account(bob, exchange="KRAKEN", environment="PAPER")

    shown = text(bobs, account=account.pk, capital="1000", **PERCENTAGE)

    assert "USDT on BTC/USDT on Kraken" in shown
    assert "Capital that this bot needs 500.00 USDT" in shown


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"capital": "0"}, "Expected an amount above zero"),
        ({"capital": "-5"}, "Expected an amount above zero"),
        ({"capital": "1e12"}, "Expected an amount above zero"),
        ({"capital": "NaN"}, "Enter a number"),
        ({"capital": "29,99"}, "Enter a number"),
        ({"capital": "1" * 40}, "at most 20 digits"),
        ({"capital": ""}, "a paper account has as much as you like"),
        ({"capital": "\0"}, "Enter a number"),
        ({"buy_order_type": "HALF"}, "buy_order_type"),
        ({"buy_order_value": ""}, "buy_order_value"),
        ({"buy_order_value": "100.01"}, "buy_order_value"),
        ({"buy_order_value": "0"}, "buy_order_value"),
        ({"account": "9" * 40}, "Choose one of your accounts."),
        ({"account": "x"}, "Choose one of your accounts."),
    ],
)
def test_wrong_input_is_answered_at_its_field(
    bot: Bot, bobs: Client, asked: dict[str, str], told: str
) -> None:
    make_signals(bot)

    answer = bobs.get(ADDRESS, {"capital": "1000", **PERCENTAGE, **asked})

    page = answer.content.decode()
    field = page.partition(f'id="id_{told}_error"')[2] if told.startswith("buy") else page
    assert answer.status_code == 200
    assert "invalid-feedback" in page
    assert told.startswith("buy") and field or told in page
    assert "would have become orders" not in page


def test_another_persons_account_is_none(bot: Bot, bobs: Client, charlie: User) -> None:
    make_signals(bot)
    account = make_account(charlie)

    assert "Choose one of your accounts." in text(bobs, account=account.pk, **PERCENTAGE)


def test_a_bot_without_a_record_says_so(bot: Bot, bobs: Client) -> None:
    assert "We have seen no signal of v1.0.0 yet." in text(bobs)
    make_signals(bot, [])
    assert "We have seen no signal of v1.0.0 yet." in text(bobs)


def test_the_run_on_paper_goes_on_where_the_backtest_ended(bot: Bot, bobs: Client) -> None:
    make_signals(bot)
    run = make_subscription(bot=bot, timeframe="1d")
    Subscription.objects.filter(pk=run.pk).update(trader=None)
    make_cycle(run, action="HOLD", age=5)
    make_cycle(run, action="BUY", signal_source="bot", price=Decimal(100), age=4)
    stopped = make_cycle(run, action="BUY", signal_source="stop_loss", price=Decimal(90), age=3)
    make_fill(make_order(stopped, side="SELL", source="stop_loss"), price=Decimal(90))
    make_cycle(run, action="SELL", signal_source="bot", skip="no_position", price=Decimal(95), age=2)
    make_cycle(make_subscription(bot=bot, timeframe="1d"), action="BUY", price=Decimal(100))
    version = run.version

    newest = newest_signals(version)

    assert newest is not None
    told = [(each.action, each.price) for each in newest.signals]
    assert told == [*SIGNALS, ("BUY", 100), ("SELL", 90), ("SELL", 95)]
    assert "5 of 7 signals" in text(bobs)

    Subscription.objects.filter(pk=run.pk).update(timeframe="1h")  # others than the backtest's
    elsewhere = newest_signals(version)
    assert elsewhere is not None
    assert len(elsewhere.signals) == 3


def test_the_bots_page_pulls_it_in_for_who_is_signed_in(bot: Bot, bobs: Client) -> None:
    make_signals(bot)

    assert f'hx-get="{ADDRESS}"' in bobs.get("/bots/steady/").content.decode()
    assert f'hx-get="{ADDRESS}"' not in Client().get("/bots/steady/").content.decode()
    part = bobs.get(ADDRESS, headers={"HX-Request": "true"}).content.decode().strip()
    assert part.startswith('<section class="fit"')


def test_it_is_for_traders(bot: Bot, alice: User, charlie: User, mona: User) -> None:
    make_signals(bot)
    statuses = {}
    for name, person in {
        "anonymous": None,
        "developer": alice,
        "trader": charlie,
        "moderator": make_staff("nina", roles.MODERATOR),
        "finance": make_staff("fred", roles.FINANCE),
        "superuser": mona,
    }.items():
        browser = Client()
        if person and person.is_staff:
            sign_in_staff(browser, person)
        elif person:
            browser.force_login(person)
        statuses[name] = browser.get(ADDRESS).status_code
        assert browser.post(ADDRESS).status_code == (405 if person else 302)
    Bot.objects.update(state=Bot.State.SUSPENDED)

    assert statuses == {
        "anonymous": 302,
        "developer": 200,
        "trader": 200,
        "moderator": 403,
        "finance": 403,
        "superuser": 403,
    }
    charlies = Client()
    charlies.force_login(charlie)
    assert charlies.get(ADDRESS).status_code == 404


def test_it_takes_few_queries(
    bot: Bot, bobs: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_signals(bot, SIGNALS * 2)
    for _ in range(5):
        make_exchange_account(bob)

    with django_assert_num_queries(QUERIES):
        text(bobs)
