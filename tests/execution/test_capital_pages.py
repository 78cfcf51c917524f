"""The page and the API by which a trader puts capital in or takes some out, and where that is told of."""

from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.execution.test_capital import changed, concluded, spaced
from tests.execution.test_going_live import live_account
from tests.factories import PASSWORD, Program, make_candles, make_subscription

API = "/api/subscriptions/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(bob: User) -> Subscription:
    return make_subscription(bob, timeframe="1h", allocated_capital=Decimal(500))


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def address(subscription: Subscription) -> str:
    return f"/subscriptions/{subscription.pk}/capital/"


def sent(browser: Client, subscription: Subscription, capital: str, step: str) -> str:
    form = {"allocated_capital": capital, "revision": "0", "step": step}
    return spaced(browser.post(address(subscription), form, follow=True).content.decode())


def test_the_preview_says_what_changes_and_from_when_and_changes_nothing(
    bobs_browser: Client, subscription: Subscription
) -> None:
    assert (
        f'href="{address(subscription)}"'
        in bobs_browser.get(subscription.get_absolute_url()).content.decode()
    )
    begun = spaced(bobs_browser.get(address(subscription)).content.decode())
    assert '490.00 USDT</dd><dd class="note">at most, now' in begun

    page = sent(bobs_browser, subscription, "800", "preview")

    for words in ("300.00 USDT are put in", "500.00 USDT", "800.00 USDT", "80.00 USDT", "Put in 300.00 USDT"):
        assert words in page
    assert "What you can lose" in page
    assert "200.00 USDT are taken out" in sent(bobs_browser, subscription, "300", "preview")
    assert "Nothing changes" in sent(bobs_browser, subscription, "500", "preview")
    assert "needs at least 10 USDT" in sent(bobs_browser, subscription, "9", "preview")
    subscription.refresh_from_db()
    assert subscription.allocated_capital == 500


def test_stored_it_is_in_the_history_in_the_files_and_in_the_chart(
    bobs_browser: Client, subscription: Subscription
) -> None:
    [*_, before, last] = make_candles(subscription.market, "1h", 4)
    concluded(subscription, "60000", before.opened_at)

    page = sent(bobs_browser, subscription, "800", "store")
    concluded(subscription, "60000", last.opened_at)

    assert "it trades with 800.00 USDT from its next decision on" in page
    assert "Allocated capital: 800.00 USDT instead of 500.00 USDT" in page
    assert "of 800.00 USDT allocated; in % without what was put in or taken out" in page
    assert "Look at it again" in sent(bobs_browser, subscription, "900", "store")
    files = f"/subscriptions/{subscription.pk}"
    lines = b"".join(bobs_browser.get(f"{files}/capital.csv")).decode().splitlines()
    assert [line.split(",")[1:] for line in lines] == [["amount", "capital"], ["300", "800"]]
    chart = bobs_browser.get(f"{files}/chart.json").json()
    assert chart["capital"] == [[last.opened_at.timestamp(), 800.0]]
    assert [value for _, value in chart["equity"]] == [500.0, 800.0]


def test_only_what_runs_or_is_paused_has_the_page(bobs_browser: Client, subscription: Subscription) -> None:
    lifecycle.stop(subscription=subscription)

    assert "Only what runs, or is paused" in sent(bobs_browser, subscription, "800", "store")


def test_real_money_asks_for_the_password_before_it_is_stored(
    bobs_browser: Client, bob: User, settings: Settings
) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    live = make_subscription(bob, account=live_account(bob), allocated_capital=Decimal(500))
    form = {"allocated_capital": "800", "revision": "0", "step": "store"}

    asked = bobs_browser.post(address(live), form)
    assert "/reauthenticate/" in asked.headers["Location"]
    live.refresh_from_db()
    assert live.allocated_capital == 500

    bobs_browser.post(asked.headers["Location"], {"password": PASSWORD})
    live.refresh_from_db()
    assert live.allocated_capital == 800
    assert "Enter at most 5000 USDT" in sent(bobs_browser, live, "9000", "preview")


def test_programs_change_and_list_it_by_the_same_rules(bob: User, subscription: Subscription) -> None:
    program, reader, there = Program(bob), Program(bob, is_read_only=True), f"{API}{subscription.pk}/capital"

    taken = program.send(there, {"revision": 0, "allocated_capital": "800.5"})
    assert (taken.status_code, taken.json()["allocated_capital"]) == (200, "800.5")
    assert program.send(there, {"revision": 0, "allocated_capital": "900"}).status_code == 409
    refused = program.send(there, {"revision": 1, "allocated_capital": "9"})
    assert "needs at least 10 USDT" in refused.json()["error"]["fields"]["allocated_capital"]
    changed(subscription, 600)

    [newest, first] = reader.get(there).json()["results"]
    assert (newest["amount"], newest["capital"], newest["revision"]) == ("-200.5", "600", 2)
    assert (first["amount"], first["capital"]) == ("300.5", "800.5")
    assert reader.get(f"{there}.csv").status_code == 200
    assert reader.send(there, {"revision": 2, "allocated_capital": "900"}).status_code == 403
