"""Requests a second of the pages that people read most, beside an empty page of the same server and run.

The server is the one that `make run` starts: gunicorn with two workers of four threads each, PostgreSQL and
Valkey on the same machine. The load comes from `benchmarks.load_client`, a process of its own. On a machine
that is busy with other things, the share by CPU of server and database tells more than the share by time.
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
from django.db import connection
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
    Asked("catalogue, another address each time", "/?n={n}", is_kept=True),
    Asked("catalogue, the same list", "/", is_kept=True),
    Asked("catalogue, signed in", "/", f"{load.PREFIX}trader-7", is_kept=True),
    Asked("a bot's page", "/bots/load-bot-1/", is_kept=True),
    Asked("dashboard of 10 bots", "/dashboard/", f"{load.PREFIX}trader-7", is_kept=True),
    Asked("dashboard of 200 bots", "/dashboard/", load.BUSY_TRADER, is_kept=True),
    Asked("GET /api/bots/, 25 of them", "/api/bots/", is_kept=True),
]


@dataclass(frozen=True)
class Load:
    """What came of one load: answers a second, and the CPU milliseconds of server and database for each."""

    per_second: float
    cpu_milliseconds: float


@dataclass(frozen=True)
class Server:
    port: int
    pid: int

    def ask(self, path: str, cookie: str) -> Load:
        client = [sys.executable, "-m", "benchmarks.load_client", HOST, str(self.port), path, cookie]
        before = self._cpu_seconds()
        done = subprocess.run(
            [*client, str(SECONDS)], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        answered, seconds, _ = done.split()
        after = self._cpu_seconds()
        spent = sum(after[pid] - before.get(pid, 0.0) for pid in after)
        return Load(int(answered) / float(seconds), spent * 1000 / max(int(answered), 1))

    def _cpu_seconds(self) -> dict[int, float]:
        """Return what each worker of the server and each of the database's processes has spent so far."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
            backends = [pid for (pid,) in cursor.fetchall()]
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {pid: _spent(pid) for pid in [*map(int, workers), *backends]}


def report() -> None:
    load.fill(bots=BOTS, subscriptions=SUBSCRIPTIONS)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # which the database does by itself, some time after so many new rows
    collect_when_changed()
    print(
        f"pages with {BOTS} bots and {SUBSCRIPTIONS} subscriptions, beside an empty page of the same server;"
    )
    print(f"median of {PAIRS} pairs in turn (least to most); load average before {os.getloadavg()[0]:.1f}")
    with serving(is_kept=False) as bare, serving(is_kept=True) as real:
        for page in PAGES:
            server = real if page.is_kept else bare
            cookie = _cookie(page.trader) if page.trader else ""
            server.ask(page.path, cookie)  # so that nothing is imported or compiled later
            pairs = [(server.ask(HELLO, ""), server.ask(page.path, cookie)) for _ in range(PAIRS)]
            rates = [asked.per_second / empty.per_second for empty, asked in pairs]
            costs = [empty.cpu_milliseconds / asked.cpu_milliseconds for empty, asked in pairs]
            print(
                f"{page.name:37}{median(rates):5.2f} ({min(rates):.2f} to {max(rates):.2f}) of its requests a"
                f" second, {median(asked.per_second for _, asked in pairs):.0f};"
                f" by CPU {median(costs):.2f} ({min(costs):.2f} to {max(costs):.2f}),"
                f" {median(asked.cpu_milliseconds for _, asked in pairs):.1f} ms each",
                flush=True,
            )
    print()


@contextmanager
def serving(*, is_kept: bool) -> Iterator[Server]:
    """Serve the product with the empty page."""
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
            yield Server(port, server.pid)
        finally:
            process.stop(server)


def _spent(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has just ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cookie(username: str) -> str:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
