"""The site as an app, from the web server that people have: small, still, installable, and honest offline."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from accounts.models import User
from deploy.local import process
from deploy.local.ports import HOST, free_port, is_listening
from deploy.local.product import web_command
from marketplace import load
from tests.e2e.conftest import ROOT, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

START_SECONDS = 60
MOST_BYTES = 200_000
MOST_SHIFT = 0.1  # of the layout, where moving all of it by its own height is 1
SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

KEPT = """
(async () => (await (await caches.open("offline")).keys()).map((each) => new URL(each.url).pathname))()
"""


class Site:
    """The real web server on the test's database."""

    def __init__(self, folder: Path) -> None:
        self.address = f"http://{HOST}:{free_port()}"
        database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
        environment = os.environ | {"DATABASE_URL": database.geturl(), "COLLECTED": str(folder / "static")}
        command = web_command(self.address, "tests.e2e.real_site")
        self._log = folder / "web.log"
        self._process = process.start(command, log=self._log, environment=environment, folder=ROOT)

    def stop(self) -> None:
        process.stop(self._process)


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.stop()


@pytest.fixture
def context(page: Page) -> Iterator[BrowserContext]:
    """A visitor whose browser may keep what the site wants it to."""
    assert page.context.browser
    context = page.context.browser.new_context(viewport={"width": 390, "height": 844})
    context.add_init_script(SHIFTS)
    yield context
    context.close()


def test_the_site_is_small_still_and_an_app(site: Site, context: BrowserContext) -> None:
    load.fill(bots=60, subscriptions=40)
    trader = User.objects.get(username=load.BUSY_TRADER)
    visitor = context.new_page()
    devtools = context.new_cdp_session(visitor)
    sizes = weigh(devtools)

    open_when_ready(visitor, site)
    visitor.wait_for_load_state("networkidle")
    assert 20_000 < sum(sizes.values()) < MOST_BYTES, sizes
    assert not any("lightweight-charts" in address for address in sizes)
    assert shift_of(visitor) < MOST_SHIFT

    sign_in(visitor, site.address, trader)
    for path in ("/bots/load-bot-1/", "/dashboard/"):
        visitor.goto(site.address + path)
        visitor.wait_for_load_state("networkidle")
        assert shift_of(visitor) < MOST_SHIFT, path

    visitor.evaluate("navigator.serviceWorker.ready")
    assert devtools.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
    kept = visitor.evaluate(KEPT)
    assert [path for path in kept if not path.startswith("/static/")] == ["/offline/"]

    site.stop()
    visitor.goto(f"{site.address}/dashboard/")
    expect(visitor.get_by_role("heading", name="No connection")).to_be_visible()
    assert trader.username not in visitor.content()
    assert visitor.evaluate("getComputedStyle(document.body).maxWidth") == "480px"


def weigh(devtools: CDPSession) -> dict[str, int]:
    """Note from now on how many bytes came for each address, as they were on the wire."""
    addresses: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def note(event: dict[str, object]) -> None:
        request = event["request"]
        assert isinstance(request, dict)
        addresses[str(event["requestId"])] = request["url"]

    def finish(event: dict[str, object]) -> None:
        sizes[addresses[str(event["requestId"])]] = int(str(event["encodedDataLength"]).split(".")[0])

    devtools.send("Network.enable")
    devtools.on("Network.requestWillBeSent", note)
    devtools.on("Network.loadingFinished", finish)
    return sizes


def open_when_ready(page: Page, site: Site) -> None:
    """Open the catalogue as soon as the server listens, which collects its files first."""
    deadline = time.monotonic() + START_SECONDS
    while not is_listening(urlsplit(site.address).port or 0):
        assert time.monotonic() < deadline, "the server did not start"
        page.wait_for_timeout(200)
    page.goto(site.address)


def shift_of(page: Page) -> float:
    return float(page.evaluate("window.shift"))
