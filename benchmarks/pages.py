"""Requests a second of the pages that people read most, beside an empty page of the same server and run.

The server is the one that `make run` starts: gunicorn with two workers of four threads each, PostgreSQL and
Valkey on the same machine. The load comes from `benchmarks.load_client`, a process of its own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from django.conf import settings
from django.test import Client

from accounts.models import User
from deploy.local import process
from deploy.local.ports import HOST, free_port, is_listening
from deploy.local.product import web_command
from marketplace import load
from marketplace.static_files import collect_when_changed

ROOT = Path(__file__).resolve().parent.parent
BOTS, SUBSCRIPTIONS = 5000, 20_000
PAIRS = 5
SECONDS = 1.0  # of load, each time
HELLO = "/hello"


@dataclass(frozen=True)
class Asked:
    name: str
    path: str
    trader: str = ""  # whose page it is; empty: nobody is signed in
    is_kept: bool = False  # whether answers may be kept for a moment, as they are in the product


PAGES = [
    Asked("catalogue, nothing kept", "/"),
    Asked("catalogue, another list each time", "/?n={n}", is_kept=True),
    Asked("catalogue, the same list", "/", is_kept=True),
    Asked("catalogue, signed in", "/", f"{load.PREFIX}trader-7", is_kept=True),
    Asked("a bot's page", "/bots/load-bot-1/", is_kept=True),
    Asked("dashboard of 10 bots", "/dashboard/", f"{load.PREFIX}trader-7", is_kept=True),
    Asked("dashboard of 200 bots", "/dashboard/", load.BUSY_TRADER, is_kept=True),
    Asked("GET /api/bots/, 25 of them", "/api/bots/", is_kept=True),
]


def report() -> None:
    load.fill(bots=BOTS, subscriptions=SUBSCRIPTIONS)
    collect_when_changed()
    print(f"requests a second with {BOTS} bots and {SUBSCRIPTIONS} subscriptions, beside an empty page")
    print(f"(median of {PAIRS} pairs in turn, least and most; load average before {os.getloadavg()[0]:.1f})")
    with serving(is_kept=False) as bare, serving(is_kept=True) as real:
        for page in PAGES:
            port = real if page.is_kept else bare
            cookie = _cookie(page.trader) if page.trader else ""
            _per_second(port, page.path, cookie)  # so that nothing is imported or compiled later
            pairs = [
                (_per_second(port, HELLO, ""), _per_second(port, page.path, cookie)) for _ in range(PAIRS)
            ]
            ratios = [asked / empty for empty, asked in pairs]
            print(
                f"{page.name:34}{median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f}),"
                f" {median(asked for _, asked in pairs):5.0f} of {median(empty for empty, _ in pairs):5.0f}",
                flush=True,
            )
    print()


@contextmanager
def serving(*, is_kept: bool) -> Iterator[int]:
    """Serve the product with the empty page on a port, which is given."""
    port = free_port()
    environment = os.environ | {"PAGES_KEPT": "yes" if is_kept else "no", "ENV_FILE": ""}
    command = web_command(f"http://{HOST}:{port}", "benchmarks.pages_server")
    with TemporaryDirectory() as folder:
        log = Path(folder) / "web.log"
        server = process.start(command, log=log, environment=environment, folder=ROOT)
        try:
            while not is_listening(port):
                if server.poll() is not None:
                    raise RuntimeError(f"The server did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield port
        finally:
            process.stop(server)


def _per_second(port: int, path: str, cookie: str) -> float:
    client = [sys.executable, "-m", "benchmarks.load_client", HOST, str(port), path, cookie, str(SECONDS)]
    printed = subprocess.run(client, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    answered, seconds, _ = printed.split()
    return int(answered) / float(seconds)


def _cookie(username: str) -> str:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
