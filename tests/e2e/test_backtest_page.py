"""What only a browser can tell of a backtest's page: its charts are drawn, and sorting keeps them."""

import re

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from execution.models import Backtest
from tests.e2e.conftest import capture
from tests.execution.found import make_found
from tests.factories import make_user


def test_a_shared_backtest_is_drawn_and_its_trades_are_sorted(
    page: Page, transactional_db: None, live_server: LiveServer
) -> None:
    found: Backtest = make_found(make_user("bob"), is_shared=True)
    assert found.report is not None
    best = max(trade["pnl"] for trade in found.report["trades"])

    page.goto(live_server.url + found.get_absolute_url())
    expect(page.locator("#chart canvas").first).to_be_visible()
    expect(page.locator("#luck-chart canvas").first).to_be_visible()
    capture(page, "backtest", "result")
    page.get_by_role("link", name="All figures").click()  # which opens them
    expect(page.get_by_text("Net profit", exact=True)).to_be_visible()
    page.locator("#trades").get_by_role("link", name=re.compile("Profit")).click()

    expect(page).to_have_url(re.compile("sort=-pnl"))
    expect(page.locator("#trades tbody tr").first).to_contain_text(f"+{best:.2f}")
    expect(page.locator("#chart canvas").first).to_be_visible()
