"""A browser for tests, and what works in the background of its pages."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections
from django.test import Client
from django_celery_beat.models import PeriodicTask
from playwright.sync_api import Page, expect, sync_playwright

from accounts.models import User
from exchanges.markets import refresh_markets
from execution import schedule
from tests.factories import sign_in_staff

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / ".local" / "screenshots"
type Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
END_SECONDS = 120
PATIENCE_MILLISECONDS = 30_000  # a browser that draws nothing notices late on a busy machine
HEIGHTS = {1280: 900, 390: 844}  # of a desktop and a phone, by their widths
expect.set_options(timeout=PATIENCE_MILLISECONDS)


def chromium() -> str:
    """The browser that set-up found on this machine, or else the one that it unpacked."""
    names = ("chromium", "chromium-browser", "google-chrome")
    installed = next(filter(None, map(shutil.which, names)), None)
    return os.environ.get("CHROMIUM") or installed or str(ROOT / ".local" / "chromium" / "chromium")


@pytest.fixture
def background(transactional_db: None, simulated_exchange: str, tmp_path: Path) -> Iterator[None]:
    """A worker and beat as processes of their own, on the test's database and a simulated exchange."""
    refresh_markets("BINANCE")
    schedule.install()
    PeriodicTask.objects.filter(task="execution.tasks.keep_records").update(enabled=False)  # long backtests
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {
        "DATABASE_URL": database.geturl(),
        "ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "MARKET_DATA": "simulator",
        "EXCHANGE_SIMULATOR_URL": simulated_exchange,
    }
    celery = [sys.executable, "-m", "celery", "-A", "marketplace"]
    worker = ["worker", "--concurrency=1", "--loglevel=INFO", "--queues=celery,backtests,gates"]
    with (tmp_path / "celery.log").open("w") as log:
        processes = [
            subprocess.Popen([*celery, *command], cwd=ROOT, env=environment, stdout=log, stderr=log)
            for command in (worker, ["beat", "--pidfile="])
        ]
        yield
        for process in processes:
            process.terminate()
        ends_at = time.monotonic() + END_SECONDS
        while time.monotonic() < ends_at and any(process.poll() is None for process in processes):
            time.sleep(0.1)
        stuck = [process for process in processes if process.poll() is None]
        for process in stuck:
            process.kill()
            process.wait()
    assert not stuck, "a worker or beat did not end when it was asked to"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page in headless Chromium; what the console complains about fails the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright's loop runs in this thread
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
            ],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900}, service_workers="block")
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
        connections.close_all()  # the connection that belongs to playwright's loop
    assert complaints == []


@pytest.fixture
def quiet_page(page: Page) -> Iterator[Page]:
    """A page of another visitor, whose console may complain: answers of 400 and the like are noted there."""
    assert page.context.browser
    context = page.context.browser.new_context(
        viewport={"width": 1280, "height": 900}, service_workers="block"
    )
    yield context.new_page()
    context.close()


def sign_in(page: Page, address: str, person: User) -> None:
    """Have the browser signed in at the site of this address; staff with their second factor."""
    client = Client()
    if person.is_staff:
        sign_in_staff(client, person)
    else:
        client.force_login(person)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": address}])


def show(page: Page, *, width: int, theme: Theme) -> None:
    """Have the page as wide as a phone (390) or a desktop (1280), and light or dark; nothing moves on it."""
    page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    # pages without our script, as the admin's, follow the system by themselves
    themed = page.locator(f"html:not([data-bs-theme]), html[data-bs-theme={theme}]")
    expect(themed).to_be_attached(timeout=PATIENCE_MILLISECONDS)


def is_too_wide(page: Page) -> bool:
    """Whether the page has to be scrolled sideways."""
    return bool(page.evaluate("document.scrollingElement.scrollWidth > window.innerWidth"))


def capture(page: Page, journey: str, step: str) -> None:
    """Keep the page as it looks on a desktop and on a phone, light and dark, in .local/screenshots.

    Each picture is <journey>/<step>-<width>-<theme>.png. Fails where one would have to scroll sideways.
    Afterwards the page is as a desktop shows it, light.
    """
    for width in HEIGHTS:
        for theme in THEMES:
            show(page, width=width, theme=theme)
            path = SCREENSHOTS / journey / f"{step}-{width}-{theme}.png"
            page.screenshot(path=path, full_page=True, animations="disabled")
        assert not is_too_wide(page), f"{journey}, {step}: wider than {width} px"
    show(page, width=1280, theme="light")
