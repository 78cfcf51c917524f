"""Whoever judges or runs the marketplace does not trade here; a developer tries their own bot on paper."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from bots.models import Bot
from marketplace.roles import RIGHTS
from subscriptions import lifecycle
from subscriptions.errors import StaffDoNotTrade, SubscriptionError
from subscriptions.models import Subscription
from tests.factories import (
    Program,
    make_bot,
    make_exchange_account,
    make_market,
    make_staff,
    make_subscription,
    sign_in_staff,
)
from tests.subscriptions.test_lifecycle import subscribe
from tests.subscriptions.test_subscribe_page import CHOICES

pytestmark = pytest.mark.django_db

API = "/api/subscriptions/"


@pytest.fixture
def bot(alice: User) -> Bot:
    make_market()
    return make_bot(alice, name="Steady", slug="steady")


def wish(bot: Bot, **overrides: Any) -> dict[str, Any]:
    return {
        "bot_id": bot.pk,
        "exchange_type": "BINANCE",
        "trading_pair": "BTC/USDT",
        "timeframe": "1h",
        "allocated_capital": "100",
        "execution_config": {"buy_order_type": "ALL", "sell_order_type": "ALL"},
    } | overrides


@pytest.mark.parametrize("role", RIGHTS)
def test_no_role_of_staff_may_subscribe(bot: Bot, role: str) -> None:
    with pytest.raises(StaffDoNotTrade, match="Staff do not trade here"):
        subscribe(make_staff("nina", role), bot=bot)


def test_a_superuser_is_refused_by_page_and_api(client: Client, bot: Bot, mona: User) -> None:
    sign_in_staff(client, mona)

    asked, posted = client.get("/bots/steady/subscribe/"), client.post("/bots/steady/subscribe/", CHOICES)
    told = Program(mona).send(API, wish(bot))

    assert [answer.status_code for answer in (asked, posted, told)] == [403, 403, 403]
    assert "Staff do not trade here." in asked.content.decode()
    assert told.json()["error"]["message"].startswith("Staff do not trade here.")
    assert not Subscription.objects.exists()


def test_developers_run_their_own_bot_on_paper(bot: Bot, alice: User) -> None:
    paper = make_exchange_account(alice, environment="PAPER")

    assert Program(alice).send(API, wish(bot)).status_code == 201
    assert Program(alice).send(API, wish(bot, account_id=paper.pk)).status_code == 201


def test_developers_do_not_run_their_own_bot_at_an_exchange(
    client: Client, bot: Bot, alice: User, bob: User
) -> None:
    account = make_exchange_account(alice)
    client.force_login(alice)

    told = Program(alice).send(API, wish(bot, account_id=account.pk))
    page = client.post("/bots/steady/subscribe/", {"account": account.pk})

    assert (told.status_code, "on paper only" in told.json()["error"]["message"]) == (409, True)
    assert "Choose one of your accounts." in page.content.decode()
    with pytest.raises(SubscriptionError, match="is your own bot"):
        subscribe(alice, bot=bot, account=account)
    assert not Subscription.objects.exists()


def test_who_joins_staff_may_still_pause_and_stop(mona: User) -> None:
    earlier = make_subscription(mona)

    lifecycle.pause(subscription=earlier)

    assert lifecycle.stop(subscription=earlier).state == Subscription.State.STOPPED
