"""A subscription trades on the account that its trader chose, and only while that account is usable."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from bot_sdk.parameters import ConfigError
from bots.models import Bot
from exchanges.models import ExchangeAccount
from execution.models import Position
from execution.orders import position_of
from subscriptions import lifecycle
from subscriptions.errors import BeginsWithoutRealMoney, SubscriptionError
from subscriptions.models import Subscription
from subscriptions.tasks import pause_for_account
from tests.factories import (
    make_bot,
    make_cycle,
    make_exchange_account,
    make_fill,
    make_market,
    make_order,
    make_subscription,
)
from tests.subscriptions.test_subscribe_page import CHOICES

pytestmark = pytest.mark.django_db

State = ExchangeAccount.State


@pytest.fixture
def bot(db: None) -> Bot:
    make_market()
    make_market(exchange="KRAKEN")
    return make_bot(slug="steady")


def funded(owner: User, usdt: str = "1000", **overrides: Any) -> ExchangeAccount:
    told = {"balances": {"USDT": {"free": usdt, "locked": "50"}}, "balances_at": timezone.now()}
    return make_exchange_account(owner, **told | overrides)


def subscribe(trader: User, bot: Bot, capital: str = "600", **overrides: Any) -> Subscription:
    values: dict[str, Any] = {
        "exchange": "BINANCE",
        "trading_pair": "BTC/USDT",
        "timeframe": "1m",
        "allocated_capital": Decimal(capital),
        "strategy_config": {},
        "execution_config": {"buy_order_type": "ALL", "sell_order_type": "ALL"},
        "risk_config": {},
    }
    return lifecycle.subscribe(trader=trader, bot=bot, **values | overrides)


def problems(trader: User, bot: Bot, **overrides: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as refused:
        subscribe(trader, bot, **overrides)
    return dict(refused.value.problems)


def test_a_subscription_keeps_the_account_that_was_chosen(bob: User, bot: Bot) -> None:
    account = funded(bob)

    subscription = subscribe(bob, bot, account=account)

    assert (subscription.account, subscription.is_on_paper) == (account, False)
    assert list(Subscription.objects.active()) == [subscription]


def test_capital_is_set_aside_for_each_subscription(bob: User, bot: Bot) -> None:
    account = funded(bob)
    first = subscribe(bob, bot, account=account)

    assert problems(bob, bot, account=account, capital="401") == {
        "allocated_capital": f"{account.label} has 400 USDT that no other subscription may use. "
        "Enter at most that."
    }
    assert subscribe(bob, bot, account=account, capital="400").pk

    position = position_of(first)  # what it has spent is no longer in the free balance
    position.quote_balance = Decimal(100)
    position.save()
    account.balances["USDT"]["free"] = "500"
    account.save()
    assert lifecycle.free_capital(account, "USDT") == 0
    Position.objects.update(quote_balance=Decimal(-100))  # it cost more than was thought
    assert lifecycle.free_capital(account, "USDT") == 100


def test_what_was_bought_since_the_balance_was_read_is_not_free(bob: User, bot: Bot) -> None:
    account = funded(bob)
    first = subscribe(bob, bot, account=account)
    order = make_order(make_cycle(first))
    make_fill(order, cost=Decimal(599), fee=Decimal("0.6"))
    Position.objects.create(subscription=first, quote_balance=Decimal("0.4"))

    assert lifecycle.free_capital(account, "USDT") == 400
    lifecycle.stop(subscription=first)
    assert lifecycle.free_capital(account, "USDT") == Decimal("400.4")


@pytest.mark.django_db(transaction=True)
def test_two_who_begin_at_once_do_not_get_the_same_money(bob: User, bot: Bot) -> None:
    account = funded(bob)
    outcomes: list[str] = []

    def begin() -> None:
        try:
            subscribe(bob, bot, account=account)
            outcomes.append("begun")
        except ConfigError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["begun", "refused", "refused", "refused"]


def test_what_a_stopped_subscription_had_is_free_again(bob: User, bot: Bot) -> None:
    account = funded(bob)
    lifecycle.stop(subscription=subscribe(bob, bot, account=account))

    assert lifecycle.free_capital(account, "USDT") == 1000


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"exchange": "KRAKEN"}, "account", "cannot trade on KRAKEN"),
        ({"capital": "1000.01"}, "allocated_capital", "has 1000 USDT"),
    ],
)
def test_an_account_that_does_not_fit_is_a_form_error(
    bob: User, bot: Bot, change: dict[str, Any], field: str, words: str
) -> None:
    found = problems(bob, bot, account=funded(bob), **change)

    assert list(found) == [field]
    assert words in found[field]


def test_somebody_elses_account_is_not_taken(bob: User, charlie: User, bot: Bot) -> None:
    assert problems(bob, bot, account=funded(charlie)) == {"account": "Choose one of your accounts."}


@pytest.mark.parametrize("state", [State.UNCHECKED, State.REFUSED, State.LOST_RIGHTS])
def test_an_account_that_is_not_usable_starts_nothing(bob: User, bot: Bot, state: str) -> None:
    assert "not usable now" in problems(bob, bot, account=funded(bob, state=state))["account"]


def test_balances_that_are_not_known_start_nothing(bob: User, bot: Bot) -> None:
    found = problems(bob, bot, account=funded(bob, balances_at=None))

    assert "still being read" in found["account"]


def test_a_live_account_is_out_of_use_where_live_trading_is_off(
    bob: User, bot: Bot, settings: Settings
) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    account = funded(bob, environment="LIVE")
    with pytest.raises(BeginsWithoutRealMoney):  # but for `going_live`
        subscribe(bob, bot, account=account)
    subscription = make_subscription(bob, bot=bot, account=account)
    assert list(Subscription.objects.active()) == [subscription]

    settings.EXCHANGE_TESTNET_MODE = True

    assert not Subscription.objects.active()


def test_a_paper_account_needs_no_balance(bob: User, bot: Bot) -> None:
    account = make_exchange_account(bob, environment="PAPER", exchange="KRAKEN")

    subscription = subscribe(bob, bot, account=account, exchange="KRAKEN", capital="5000")

    assert subscription.is_on_paper
    assert list(Subscription.objects.active().on_paper()) == [subscription]


def lose_rights(account: ExchangeAccount) -> None:
    ExchangeAccount.objects.filter(pk=account.pk).update(
        state=State.LOST_RIGHTS, state_reason="This key may not place and cancel orders."
    )


def test_losing_rights_pauses_all_that_trades_there_and_tells_once(
    bob: User, charlie: User, bot: Bot, letters: Callable[[], list[EmailMessage]]
) -> None:
    account = funded(bob)
    those = [make_subscription(bob, bot=bot, account=account) for _ in range(2)]
    others = [make_subscription(bob, bot=bot), make_subscription(charlie, bot=bot)]
    lose_rights(account)

    for _ in range(2):
        pause_for_account(account.pk)

    states = {row.pk: row.state for row in Subscription.objects.all()}
    assert {states[each.pk] for each in those} == {"PAUSED"}
    assert {states[each.pk] for each in others} == {"ACTIVE"}
    [message] = letters()
    assert message.to == [bob.email]
    assert message.subject == f"2 subscriptions on {account.label} are paused"
    assert "may not place and cancel orders" in message.body
    assert all(each.get_absolute_url() in message.body for each in those)


def test_a_usable_account_pauses_nothing(bob: User, bot: Bot) -> None:
    subscription = make_subscription(bob, bot=bot, account=funded(bob))

    pause_for_account(subscription.account_id)

    subscription.refresh_from_db()
    assert subscription.state == "ACTIVE"


def test_what_was_paused_for_its_account_resumes_when_that_is_usable_again(bob: User, bot: Bot) -> None:
    account = funded(bob)
    subscription = make_subscription(bob, bot=bot, account=account)
    lose_rights(account)
    pause_for_account(account.pk)
    subscription = Subscription.objects.with_names().get(pk=subscription.pk)

    with pytest.raises(SubscriptionError, match="is not usable now"):
        lifecycle.resume(subscription=subscription)

    ExchangeAccount.objects.update(state=State.ACTIVE)
    assert lifecycle.resume(subscription=subscription).state == "ACTIVE"


def test_the_form_offers_ones_own_accounts_only(client: Client, bob: User, charlie: User, bot: Bot) -> None:
    client.force_login(bob)
    own, other = funded(bob, label="Mine"), funded(charlie, label="Theirs")

    page = client.get("/bots/steady/subscribe/").content.decode()
    posted = client.post("/bots/steady/subscribe/", CHOICES | {"account": other.pk})

    assert ("Mine · Binance · Testnet" in page, "Theirs" in page) == (True, False)
    assert "Choose one of your accounts." in posted.content.decode()
    assert own.subscriptions.count() == other.subscriptions.count() == 0


@pytest.mark.parametrize("account", ["x", "-1", "9" * 40, "1.5", "²"])
def test_nonsense_for_an_account_is_a_form_error(client: Client, bob: User, bot: Bot, account: str) -> None:
    client.force_login(bob)

    page = client.post("/bots/steady/subscribe/", CHOICES | {"account": account}).content.decode()

    assert "Choose one of your accounts." in page
    assert not Subscription.objects.exists()


def test_the_form_takes_no_live_account(client: Client, bob: User, bot: Bot, settings: Settings) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    live = funded(bob, label="Real", environment="LIVE")
    client.force_login(bob)

    page = client.get("/bots/steady/subscribe/").content.decode()
    posted = client.post("/bots/steady/subscribe/", {"account": live.pk}).content.decode()

    assert ("Real · Binance" in page, "Choose one of your accounts." in posted) == (False, True)


def test_a_market_is_chosen_at_the_accounts_exchange(client: Client, bob: User, bot: Bot) -> None:
    make_market(exchange="KRAKEN")
    client.force_login(bob)
    client.post(
        "/bots/steady/subscribe/",
        {"account": make_exchange_account(bob, environment="PAPER", exchange="KRAKEN").pk},
    )

    form = client.get("/bots/steady/subscribe/market/").context["form"]

    assert (form["exchange_type"].value(), form.fields["exchange_type"].widget.choices) == (
        "KRAKEN",
        [("KRAKEN", "Kraken")],
    )


@pytest.mark.django_db(transaction=True)
def test_a_pause_returns_when_nothing_can_be_leaving_any_more(bob: User, bot: Bot) -> None:
    subscription = make_subscription(bob, bot=bot)
    sending = Subscription.objects.filter(pk=subscription.pk)
    sending.update(sending_until=timezone.now() + timedelta(seconds=60))

    def sent() -> None:
        time.sleep(0.4)
        sending.update(sending_until=None)
        connection.close()

    thread = threading.Thread(target=sent)
    began = time.monotonic()
    thread.start()
    lifecycle.pause(subscription=subscription)

    assert 0.4 <= time.monotonic() - began < 30
    thread.join()


def test_the_pause_of_an_account_has_its_task_by_that_name() -> None:
    assert "subscriptions.tasks.pause_for_account" in current_app.tasks
