"""The main promise, in a real browser: a trader subscribes, the bot trades, a decision is replayed."""

import re

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from bots.models import GateRun
from marketplace import demo
from tests.e2e.conftest import capture
from tests.factories import make_bot

FIRST_FILL_MILLISECONDS = 150_000  # two candles and a slow machine
PASSWORD = "correct horse battery staple"


def test_a_trader_subscribes_and_sees_a_fill(page: Page, background: None, live_server: LiveServer) -> None:
    demo.seed(PASSWORD)
    GateRun.objects.all().delete()  # the one worker's time is for the trade
    make_bot(name="Always Buys", slug="always-buys")

    page.goto(live_server.url)
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label(re.compile("username", re.IGNORECASE)).fill(demo.TRADER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.goto(live_server.url)
    page.get_by_role("link", name="Always Buys").first.click()
    page.get_by_role("link", name="Subscribe").first.click()
    page.get_by_role("button", name="Review the proposed settings").click()
    page.get_by_role("link", name="Change market").click()
    page.get_by_label("Timeframe").select_option("1m")
    page.get_by_role("button", name="Back to the review").click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    capture(page, "first-trade", "review")
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page.get_by_text("always buys").first).to_be_visible(timeout=FIRST_FILL_MILLISECONDS)
    expect(page.get_by_text("Filled").first).to_be_visible(timeout=FIRST_FILL_MILLISECONDS)
    capture(page, "first-trade", "filled")

    page.locator("[id^=cycle-]").last.click()
    page.get_by_role("button", name="Make it again and compare").click()
    expect(page.get_by_text("The same came out")).to_be_visible(timeout=FIRST_FILL_MILLISECONDS)
