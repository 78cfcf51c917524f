"""Looking for a bot in the browser: the list follows what is asked, and records come with the page."""

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.factories import make_bot, make_category, make_market

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_list_follows_what_is_asked_and_leads_to_a_comparison(
    page: Page, live_server: LiveServer
) -> None:
    make_market()
    make_bot(name="Calm Crosser", category=make_category("Trend"), timeframes=["1h"])
    make_bot(name="Band Bouncer", category=make_category("Bands"))
    page.goto(live_server.url)
    cards = page.locator(".bot-card h2")

    page.get_by_label("Search").fill("bouncr")
    expect(cards).to_have_text(["Band Bouncer"])
    expect(page).to_have_url(re.compile(r"/\?q=bouncr$"))
    page.get_by_label("Search").fill("")
    expect(cards).to_have_count(2)
    page.locator("summary", has_text="Filters").click()
    page.get_by_label("Candles").select_option("1d")
    expect(cards).to_have_text(["Band Bouncer"])
    page.get_by_role("link", name="Bands").first.click()
    expect(page).to_have_url(re.compile(r"timeframe=1d.*category=bands|category=bands.*timeframe=1d"))
    page.get_by_label("Candles").select_option("")
    expect(page).to_have_url(re.compile(r"/\?category=bands$"))  # and with it a list of its own
    expect(cards).to_have_text(["Band Bouncer"])  # the form knows of the category

    page.get_by_label("Compare Band Bouncer").check()
    page.get_by_role("button", name="Compare the chosen bots").click()
    page.get_by_role("link", name="Band Bouncer").click()

    expect(page.get_by_role("heading", name="What subscribers got")).to_be_visible()
