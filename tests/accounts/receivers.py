"""Servers of this machine that stand for what notifications are sent to."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Receiver:
    """What a service got: host, path and JSON of each request; it answers with `status` and `headers`."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, str, Any]] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A service over plain HTTP, for NOTIFICATION_RECEIVER."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.got.append((self.headers["Host"], self.path, json.loads(body)))
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield receiver
        server.shutdown()


@dataclass
class Listener:
    """A port of this machine, over IPv4 and IPv6, and how many connections came."""

    port: int = 0
    count: int = 0


@contextmanager
def listening() -> Iterator[Listener]:
    listener, both = Listener(), socket.socket(socket.AF_INET6)
    both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    both.bind(("::", 0))
    both.listen(200)
    listener.port = both.getsockname()[1]

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = both.accept()
                listener.count += 1
                connection.close()

    thread = Thread(target=accept, daemon=True)
    thread.start()
    yield listener
    with suppress(OSError):
        both.shutdown(socket.SHUT_RDWR)
    both.close()
    thread.join(timeout=5)
