"""Looking for a bot in the browser: the list follows what is asked, and records come with the page."""

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.conftest import capture
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
    expect(page.locator("#id_category")).to_have_value("bands")
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.get_by_label("Candles").select_option("")
    expect(page).to_have_url(re.compile(r"/\?category=bands$"))  # and with it a list of its own
    expect(cards).to_have_text(["Band Bouncer"])  # the form knows of the category
    capture(page, "catalogue", "filtered")

    page.get_by_label("Compare Band Bouncer").check()
    expect(page.get_by_role("button", name="Compare the chosen bots")).to_be_visible()
    page.locator(".pills a").first.click()
    expect(cards).to_have_count(2)
    expect(page.get_by_label("Compare Band Bouncer")).to_be_checked()  # in another list, too
    page.get_by_label("Search").fill("crosser")
    expect(cards).to_have_text(["Calm Crosser"])
    page.get_by_label("Compare Calm Crosser").check()
    page.get_by_role("button", name="Compare 2 bots").click()
    expect(page).to_have_url(re.compile("/compare/"))
    expect(page.get_by_role("link", name="Calm Crosser")).to_be_visible()
    capture(page, "catalogue", "comparison")
    page.get_by_role("link", name="Band Bouncer").click()

    expect(page.get_by_role("heading", name="What subscribers got")).to_be_visible()
    expect(page.get_by_text("you want proof")).to_be_visible()  # came along, into a place of its own

    page.goto(live_server.url)
    expect(page.get_by_role("button", name="Compare 2 bots")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_label("Compare Band Bouncer")).not_to_be_checked()
    expect(page.locator("#compare")).to_be_hidden()


def test_without_javascript_the_list_narrows_and_leads_to_what_is_gone(
    page: Page, live_server: LiveServer
) -> None:
    make_bot(name="Calm Crosser", worst_drawdown_percent=4.0, days_on_paper=90, exchanges=["KRAKEN"])
    make_bot(name="Band Bouncer", worst_drawdown_percent=40.0, exchanges=["KRAKEN"])
    assert page.context.browser
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()
    plain.goto(live_server.url)

    plain.locator("summary", has_text="Filters").click()
    plain.get_by_label("Exchange").select_option("KRAKEN")
    plain.get_by_label("Days on paper, from").fill("60")
    plain.get_by_label("Drawdown in %, to").fill("5")
    plain.get_by_role("button", name="Search").click()

    expect(plain.locator(".bot-card h2")).to_have_text(["Calm Crosser"])
    expect(plain).to_have_url(re.compile(r"exchange=KRAKEN.*days=60.*drawdown=5"))
    plain.get_by_role("link", name="All bots ever published, in figures").click()
    expect(plain.get_by_role("heading", name="2 bots")).to_be_visible()
    plain.context.close()
