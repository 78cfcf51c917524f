"""From the catalogue to a running subscription with the keyboard alone, seeing at each stop where one is."""

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from subscriptions.models import Subscription
from tests.e2e.conftest import capture, sign_in
from tests.factories import make_bot, make_market, make_user

pytestmark = pytest.mark.django_db(transaction=True)

MOST_STOPS = 60  # of the tab key on one page
IS_SEEN = """() => {
  const ringed = [document.activeElement, document.activeElement.closest(".bot-card")];
  return ringed.some((each) => each && getComputedStyle(each).outlineStyle !== "none");
}"""


def tab_to(page: Page, wanted: Locator) -> None:
    expect(wanted).to_be_visible()
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        assert page.evaluate(IS_SEEN), page.evaluate("document.activeElement.outerHTML")
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
    pytest.fail(f"The tab key does not come to {wanted} in {MOST_STOPS} stops.")


def test_a_trader_starts_a_bot_by_keyboard_alone(page: Page, live_server: LiveServer) -> None:
    make_market()
    make_bot(name="Steady", slug="steady")
    sign_in(page, live_server.url, make_user("bob"))
    page.goto(live_server.url)

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    tab_to(page, page.get_by_role("link", name="Steady"))
    capture(page, "keyboard", "card")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Steady", level=1)).to_be_visible()
    page.wait_for_load_state()
    expect(page.locator("[hx-trigger=load]")).to_have_count(0)  # what comes later takes the place of a stop
    tab_to(page, page.get_by_role("link", name="Subscribe").first)
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Review the proposed settings"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Start", exact=True))
    capture(page, "keyboard", "start")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Steady is active.")).to_be_visible()
    assert Subscription.objects.filter(trader__username="bob", state="ACTIVE").count() == 1
