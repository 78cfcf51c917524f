"""A newcomer starts a bot on paper, sees what can be lost, changes a limit, and goes live."""

import re

from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from bot_sdk.parameters import Parameter
from subscriptions.models import Subscription
from tests.e2e.conftest import capture, sign_in
from tests.factories import (
    PASSWORD,
    make_bot,
    make_exchange_account,
    make_market,
    make_subscription,
    make_user,
)

PERIOD = Parameter("period", "integer", 14, "Period", 2, 100, (), "Candles to look back.")


def test_a_newcomer_starts_on_paper_step_by_step(
    page: Page, transactional_db: None, live_server: LiveServer
) -> None:
    make_user("bob")
    make_market()
    make_market(trading_pair="ETH/USDT")
    make_bot(name="Steady", slug="steady", parameters=[PERIOD])
    assert page.context.browser
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()

    # a visitor is led through the sign-in to the first step; without JavaScript
    plain.goto(f"{live_server.url}/bots/steady/")
    plain.get_by_role("link", name="Subscribe", exact=True).click()
    plain.get_by_label(re.compile("username", re.IGNORECASE)).fill("bob")
    plain.get_by_label("Password", exact=True).fill(PASSWORD)
    plain.get_by_role("button", name="Sign in").click()
    expect(plain.get_by_role("radio", name="Paper account")).to_be_checked()
    plain.get_by_role("button", name="Continue").click()
    plain.get_by_label("Trading pair").fill("eth/usdt")
    plain.get_by_label("Trading pair").press("Enter")  # goes on, and is no reset
    plain.get_by_label("Period").fill("700")
    plain.get_by_role("button", name="Continue").click()
    expect(plain.get_by_role("alert")).to_contain_text("Enter 100 or less")
    plain.get_by_role("button", name="Reset Period to 14").click()
    expect(plain.get_by_label("Period")).to_be_focused()
    expect(plain.get_by_label("Period")).to_have_value("14")
    plain.get_by_label("Period").fill("21")
    plain.get_by_role("button", name="Continue").click()
    expect(plain.locator("[aria-current=step]")).to_contain_text("Capital")
    plain.get_by_role("button", name="Back").click()
    plain.reload()
    expect(plain.get_by_label("Period")).to_have_value("21")

    # on another device, with JavaScript: the draft is there, a box goes back, the loss follows what is typed
    page.context.add_cookies(plain.context.cookies())  # type: ignore[arg-type]  # as they were given
    page.goto(f"{live_server.url}/bots/steady/subscribe/risk/")
    page.get_by_label("Stop loss").fill("10")
    page.get_by_label("Largest position").fill("50")
    reset = page.get_by_role("button", name="Reset Stop loss to 5")
    reset.press("Enter")
    expect(page.get_by_label("Stop loss")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="Stop loss is 5 again.")).to_be_attached()
    expect(reset).to_be_hidden()
    expect(page.get_by_text("about 255.00")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Look it over, and start")).to_be_focused()
    for words in ("Paper account", "ETH/USDT", "21", "about 255.00"):
        expect(page.get_by_text(words).first).to_be_visible()
    capture(page, "subscribing", "review")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Steady is active.")).to_be_visible()


def test_a_trial_is_changed_and_goes_live(
    page: Page, transactional_db: None, live_server: LiveServer, settings: Settings
) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    bob = make_user("bob")
    tried = make_subscription(bob, bot=make_bot(name="Steady", slug="steady"))
    make_exchange_account(
        bob,
        label="Real",
        environment="LIVE",
        permissions={"can_withdraw": False},
        balances={"USDT": {"free": "5000", "locked": "0"}},
        balances_at=timezone.now(),
    )
    sign_in(page, live_server.url, bob)
    page.goto(live_server.url + tried.get_absolute_url())

    # what changes, from when, and what can be lost then
    page.get_by_role("link", name="Change settings").click()
    page.get_by_label("Stop loss").fill("2")
    page.get_by_role("button", name="Show what changes").click()
    expect(page.get_by_text("The bot decides with them from")).to_be_visible()
    expect(page.get_by_text("a stop loss of 2")).to_be_visible()
    page.get_by_role("button", name="Change from the next candle on").click()

    # real money: a page of its own, a tick, and the password
    page.get_by_role("link", name="Go live with these settings").click()
    page.get_by_label("Capital in real money").fill("1000")
    page.get_by_role("button", name="Show the figures for these").click()
    page.get_by_label("I want this bot to trade with my real money").check()
    capture(page, "going-live", "figures")
    page.get_by_role("button", name="Go live with").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Steady is live")).to_be_visible()
    capture(page, "going-live", "live")
    [live] = Subscription.objects.live()
    assert (live.allocated_capital, live.rehearsal) == (1000, tried)
    assert live.risk_config["stop_loss_percent"] == 2
