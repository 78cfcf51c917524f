"""What only a browser can tell of a backtest's page: its charts are drawn, and sorting keeps them."""

import re

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from bot_sdk.parameters import Parameter
from bots.publishing import publish_version
from execution.models import Backtest
from tests.e2e.conftest import capture, sign_in
from tests.execution.found import make_found
from tests.factories import make_bot, make_market, make_user


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


def test_another_version_brings_its_parameters_and_its_limits(
    page: Page, transactional_db: None, live_server: LiveServer
) -> None:
    make_market()
    bob, bot = make_user("bob"), make_bot(name="Steady")
    period = Parameter("period", "integer", 14, "Period")
    publish_version(
        bot=bot, number="v1.1.0", code="", parameters=[period], risk_defaults={"stop_loss_percent": 7}
    )
    sign_in(page, live_server.url, bob)
    page.goto(f"{live_server.url}{bot.get_absolute_url()}backtest/")
    expect(page.get_by_label("Stop loss")).to_have_value("7")

    page.get_by_label("Version").select_option("v1.0.0")

    expect(page.get_by_label("Period")).to_have_count(0)
    expect(page.get_by_label("Stop loss")).to_have_value("5")
