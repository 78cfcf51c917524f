"""A subscriber changes settings and capital, then sells and stops, in a browser without JavaScript."""

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from subscriptions.models import Subscription
from tests.e2e.conftest import capture, sign_in
from tests.execution.test_watch_page import buy
from tests.factories import make_bot, make_subscription, make_user, trader_of
from tests.subscriptions.test_changing import NEW


def test_a_subscriber_changes_settings_and_stops_by_choice(
    page: Page, transactional_db: None, live_server: LiveServer
) -> None:
    bot = make_bot(name="Steady", slug="steady", parameters=NEW)
    chosen = {"period": 10, "mode": "wild", "gained": 1.5}
    subscription = make_subscription(make_user("bob"), bot=bot, strategy_config=chosen)
    buy(subscription)
    assert page.context.browser
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()
    sign_in(plain, live_server.url, trader_of(subscription))

    plain.goto(live_server.url + subscription.get_absolute_url())
    plain.get_by_role("link", name="Change settings").click()
    plain.get_by_label("Period").fill("12")
    plain.get_by_role("button", name="Show what changes").click()
    plain.get_by_role("button", name="Edit again").click()
    expect(plain.get_by_label("Period")).to_have_value("12")
    plain.get_by_role("button", name="Show what changes").click()
    expect(plain.get_by_role("button", name="Change from the next candle on")).to_be_visible()
    capture(plain, "changing", "what-changes")
    plain.get_by_role("button", name="Change from the next candle on").click()
    expect(plain.get_by_text("Period: 12 instead of 10")).to_be_visible()

    plain.get_by_role("link", name="Change capital").click()
    capture(plain, "changing", "capital")
    plain.get_by_label("Allocated capital").fill("12500")
    plain.get_by_role("button", name="Show what changes").click()
    capture(plain, "changing", "capital-preview")
    plain.get_by_role("button", name="Put in 2").click()
    expect(plain.get_by_text("Allocated capital: 12")).to_be_visible()
    capture(plain, "changing", "capital-changed")

    plain.locator("#stop").click()
    plain.get_by_role("button", name="Sell, then stop for good").click()
    expect(plain.get_by_text("Selling what is held at the market")).to_be_visible()
    capture(plain, "changing", "stopped")
    subscription.refresh_from_db()
    assert subscription.allocated_capital == 12_500
    assert subscription.strategy_config == {"period": 12, "mode": "wild", "gained": 1.5}
    assert subscription.state == Subscription.State.CLOSING
