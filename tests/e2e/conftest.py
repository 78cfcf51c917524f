"""A browser for tests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from accounts.models import User

ROOT = Path(__file__).resolve().parents[2]


def chromium() -> str:
    """The browser that set-up found on this machine, or else the one that it unpacked."""
    names = ("chromium", "chromium-browser", "google-chrome")
    installed = next(filter(None, map(shutil.which, names)), None)
    return os.environ.get("CHROMIUM") or installed or str(ROOT / ".local" / "chromium" / "chromium")


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
        page = browser.new_page(viewport={"width": 1280, "height": 900})
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
    context = page.context.browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def sign_in(page: Page, address: str, person: User) -> None:
    """Have the browser signed in at the site of this address."""
    client = Client()
    client.force_login(person)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": address}])
