"""The adapter below ccxt: where it lets requests go, and what it makes of answers."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
import requests
import urllib3.util.connection

from exchanges.ccxt_client import HostGuard
from exchanges.gateways import shared_redis
from exchanges.rate_budget import RateBudget

HOSTS = frozenset({"api.binance.com"})


class Answering(BaseHTTPRequestHandler):
    """Answers with what the test says, and counts."""

    status, body = 200, "{}"
    headers_sent: ClassVar[dict[str, str]] = {}
    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        type(self).paths.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Answering]]]:
    handler = type("Handler", (Answering,), {"paths": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", handler
        http.shutdown()


def session(url: str, budget: RateBudget | None = None) -> requests.Session:
    made = requests.Session()
    made.mount("https://", HostGuard(HOSTS, url, budget))
    return made


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_an_order(server: tuple[str, type[Answering]], status: int) -> None:
    url, handler = server
    handler.status, handler.headers_sent = status, {"Location": "https://api.binance.com/again"}

    with pytest.raises(requests.ConnectionError, match="refused to follow a redirect"):
        session(url).post("https://api.binance.com/order", data={"a": "b"}, timeout=5)

    assert handler.paths == ["/order"]


@pytest.mark.parametrize("address", ["https://api.binance.com:8443/x", "https://api.binance.com.evil/x"])
def test_another_port_or_host_is_not_reached(server: tuple[str, type[Answering]], address: str) -> None:
    with pytest.raises(requests.ConnectionError, match="refused to contact"):
        session(server[0]).post(address, timeout=5)

    assert server[1].paths == []


def test_what_is_too_late_does_not_leave(server: tuple[str, type[Answering]]) -> None:
    made = session(server[0])
    guard = made.get_adapter("https://")
    assert isinstance(guard, HostGuard)
    guard.send_by = datetime.now(UTC)

    with pytest.raises(requests.ConnectionError, match="too late"):
        made.post("https://api.binance.com/order", timeout=5)

    assert (server[1].paths, guard.has_sent) == ([], False)


def test_what_became_too_late_while_it_connected_does_not_leave(
    server: tuple[str, type[Answering]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*args: Any, **kwargs: Any) -> socket.socket:
        time.sleep(0.3)
        return create_connection(*args, **kwargs)

    create_connection = urllib3.util.connection.create_connection
    monkeypatch.setattr(urllib3.util.connection, "create_connection", slowly)
    made = session(server[0])
    guard = made.get_adapter("https://")
    assert isinstance(guard, HostGuard)
    guard.send_by = datetime.now(UTC) + timedelta(seconds=0.2)

    with pytest.raises(requests.ConnectionError, match="too late"):
        made.post("https://api.binance.com/order", timeout=5)

    assert server[1].paths == []


@pytest.mark.parametrize(
    ("status", "body", "said", "least", "most"),
    [
        (429, "{}", "7", 1, 7),
        (418, "{}", "3600", 3590, 3600),
        (429, "{}", "nan", 25, 30),
        (429, "{}", "", 25, 30),
        (429, '{"code":-1015,"msg":"Too many new orders"}', "60", 0, 0),
        (200, '{"error":["EGeneral:Temporary lockout"]}', "", 25, 30),
        (200, '{"error":["EOrder:Rate limit exceeded"]}', "", 0, 0),
        (200, "{}", "", 0, 0),
    ],
)
def test_all_stop_when_the_exchange_says_so_and_not_for_one_accounts_sake(  # noqa: PLR0917 - parameters
    server: tuple[str, type[Answering]], status: int, body: str, said: str, least: float, most: float
) -> None:
    url, handler = server
    handler.status, handler.body, handler.headers_sent = status, body, {"Retry-After": said}
    budget = RateBudget(shared_redis(), "BINANCE", url)

    session(url, budget).post("https://api.binance.com/order", timeout=5)

    assert least <= budget.halted_seconds() <= most


def test_a_date_to_come_back_at_is_understood(server: tuple[str, type[Answering]]) -> None:
    url, handler = server
    back_at = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    handler.status, handler.headers_sent = 429, {"Retry-After": back_at}
    budget = RateBudget(shared_redis(), "BINANCE", url)

    session(url, budget).post("https://api.binance.com/order", timeout=5)

    assert 95 <= budget.halted_seconds() <= 100
