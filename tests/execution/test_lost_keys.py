"""A key that is taken back, or may do too much, stops what trades with it, and its owner is told once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage

from exchanges.accounts import replace_keys
from exchanges.credentials import Credentials
from exchanges.models import ExchangeAccount
from exchanges.tasks import check_account, check_accounts
from execution.models import Order
from execution.tasks import look_after_orders_at
from subscriptions.models import Subscription
from subscriptions.tasks import pause_for_account
from tests.exchanges.simulated import Trader
from tests.execution.test_settling import place, simulator, subscribed, trader  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db

TASKS = {task.name: task for task in (check_account, pause_for_account)}

type Letters = Callable[[], list[EmailMessage]]
type Messages = list[tuple[str, list[Any]]]


def deliver(messages: Messages) -> None:
    """Carry out what was left to workers about accounts, and what comes of that."""
    while messages:
        name, arguments = messages.pop(0)
        if name in TASKS:
            TASKS[name].apply(arguments, throw=True)


def two_on_one_account(trader: Trader) -> tuple[Subscription, Subscription]:  # noqa: F811
    first = subscribed(trader)
    return first, subscribed(trader, account=first.account)


def revoke(trader: Trader) -> None:  # noqa: F811
    trader.control("account", key=trader.credentials.api_key, is_revoked=True)


def states() -> set[str]:
    return set(Subscription.objects.values_list("state", flat=True))


def test_an_order_that_is_refused_for_its_key_pauses_all_that_trades_with_it(
    trader: Trader,  # noqa: F811
    published: Messages,
    letters: Letters,
) -> None:
    first, second = two_on_one_account(trader)
    place(second, age=1)
    revoke(trader)

    order = place(first)
    deliver(published)

    assert order.state == Order.State.REJECTED
    account = ExchangeAccount.objects.get()
    assert account.state == ExchangeAccount.State.LOST_RIGHTS
    assert "does not accept this key" in account.state_reason
    assert states() == {Subscription.State.PAUSED}
    [letter] = letters()
    assert letter.to == [account.owner.email]
    assert all(each.get_absolute_url() in letter.body for each in (first, second))


def test_a_right_to_withdraw_that_was_added_is_found_by_the_daily_check(
    trader: Trader,  # noqa: F811
    published: Messages,
    letters: Letters,
) -> None:
    two_on_one_account(trader)
    rights = ["read", "trade", "withdraw", "transfer"]
    trader.control("account", key=trader.credentials.api_key, rights=rights)

    for _ in range(2):  # days
        check_accounts()
        deliver(published)

    assert ExchangeAccount.objects.get().state == ExchangeAccount.State.LOST_RIGHTS
    assert states() == {Subscription.State.PAUSED}
    [letter] = letters()
    assert "may withdraw or transfer funds" in letter.body


def test_a_key_that_is_refused_when_orders_are_looked_up_is_checked_once(
    trader: Trader,  # noqa: F811
    published: Messages,
) -> None:
    subscription = subscribed(trader)
    order = place(subscription, limit=trader.simulator.rules(trader.exchange).price_tick * 1_000_000)
    assert order.state == Order.State.OPEN
    revoke(trader)

    look_after_orders_at(subscription.account_id, subscription.market_id)
    asked = [name for name, _ in published]
    deliver(published)
    trader.control("log", clear=True)
    look_after_orders_at(subscription.account_id, subscription.market_id)

    assert asked == [check_account.name]
    assert (published, trader.control("log")["requests"]) == ([], [])
    assert states() == {Subscription.State.PAUSED}
    order.refresh_from_db()
    assert order.state == Order.State.OPEN  # it may live on at the exchange


@pytest.mark.parametrize("wrong", ["api_key", "secret"])
def test_orders_are_looked_up_again_once_the_account_has_a_key_that_works(
    trader: Trader,  # noqa: F811
    published: Messages,
    wrong: str,
) -> None:
    subscription = subscribed(trader)
    place(subscription, limit=trader.simulator.rules(trader.exchange).price_tick * 1_000_000)
    account = subscription.account
    assert account is not None
    good, other = trader.credentials, trader.simulator.trader(trader.exchange).credentials
    bad = {
        "api_key": Credentials(f"{other.api_key[:-4]}{good.api_key[-4:]}", good.secret),  # ends alike
        "secret": Credentials(good.api_key, other.secret),
    }
    replace_keys(account=account, credentials=bad[wrong])
    look_after_orders_at(account.pk, subscription.market_id)
    assert trader.control("log", clear=True)["requests"]

    replace_keys(account=account, credentials=good)
    look_after_orders_at(account.pk, subscription.market_id)

    assert trader.control("log")["requests"]
