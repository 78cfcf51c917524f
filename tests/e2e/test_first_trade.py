"""The main promise, in a real browser: a trader subscribes, and the bot trades by itself."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from exchanges.markets import refresh_markets
from execution import schedule
from marketplace import demo
from tests.factories import make_bot

FIRST_FILL_MILLISECONDS = 150_000  # two candles and a slow machine
ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"


@pytest.fixture
def background(transactional_db: None, simulated_exchange: str, tmp_path: Path) -> Iterator[None]:
    """A worker and beat as processes of their own, on the test's database and a simulated exchange."""
    refresh_markets("BINANCE")
    schedule.install()
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {
        "DATABASE_URL": database.geturl(),
        "ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "MARKET_DATA": "simulator",
        "EXCHANGE_SIMULATOR_URL": simulated_exchange,
    }
    celery = [sys.executable, "-m", "celery", "-A", "marketplace"]
    with (tmp_path / "celery.log").open("w") as log:
        processes = [
            subprocess.Popen([*celery, *command], cwd=ROOT, env=environment, stdout=log, stderr=log)
            for command in (["worker", "--concurrency=1", "--loglevel=INFO"], ["beat", "--pidfile="])
        ]
        yield
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


def test_a_trader_subscribes_and_sees_a_fill(page: Page, background: None, live_server: LiveServer) -> None:
    demo.seed(PASSWORD)
    make_bot(name="Always Buys", slug="always-buys")

    page.goto(live_server.url)
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label(re.compile("username", re.IGNORECASE)).fill(demo.TRADER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.goto(live_server.url)
    page.get_by_role("link", name="Always Buys").first.click()
    page.get_by_role("link", name="Subscribe").first.click()
    page.get_by_label("Timeframe").select_option("1m")
    page.get_by_role("button", name=re.compile("start|subscribe", re.IGNORECASE)).click()

    expect(page.get_by_text("always buys").first).to_be_visible(timeout=FIRST_FILL_MILLISECONDS)
    expect(page.get_by_text("Filled").first).to_be_visible(timeout=FIRST_FILL_MILLISECONDS)
