"""The simulated exchanges as a real HTTP server."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread, Timer
from urllib.parse import urlsplit

from exchanges.simulator.clock import SimulatedClock, utc_now
from exchanges.simulator.faults import Fault, Kind, Moment
from exchanges.simulator.http import Reply, Request
from exchanges.simulator.market import Tape
from exchanges.simulator.world import CONTROL, Exchange, World

logger = logging.getLogger(__name__)

IDLE_SECONDS = 60  # after which a kept-alive connection is closed
LONGEST_BODY = 1_000_000
GARBAGE = b"<html><body>502 Bad Gateway</body></html>"


@contextmanager
def serve(
    port: int = 0,
    seed: int = 1,
    *,
    clock: Callable[[], datetime] = utc_now,
    speed: float = 1.0,
    has_limits: bool = True,
    tapes: Mapping[str, Tape] | None = None,
    on_request: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """Serve the exchanges of `seed` on 127.0.0.1 while the context lasts; its value is the server's URL.

    Port 0 takes a free one. Time starts at `clock` and goes on at `speed`. `tapes` replace the seed's prices
    of single markets, by symbol. Without limits nobody is told to ask less. `on_request` is called, from the
    serving thread, with each request's path and query. Raises OSError when the port is taken.
    """
    world = World(seed, SimulatedClock(clock, speed), has_limits=has_limits, tapes=tapes)
    server = _Server(("127.0.0.1", port), world, on_request)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # workers connect all at once when a candle closes

    def __init__(
        self, address: tuple[str, int], world: World, on_request: Callable[[str], None] | None
    ) -> None:
        super().__init__(address, _Handler)
        self.world = world
        self.on_request = on_request

    def handle_error(self, _request: object, client_address: object) -> None:
        """Log what went wrong; a client that hung up is not worth a line."""
        if not isinstance(sys.exception(), ConnectionError):
            logger.exception("A request of %s failed", client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    wbufsize = -1  # head and body leave in one packet; apart they meet the delayed acknowledgement of TCP

    def _handle(self) -> None:
        request = self._request()
        if request is None:
            return
        if request.path.startswith(CONTROL):
            self._reply(self.server.world.control(request))
            return
        if self.server.on_request is not None:
            self.server.on_request(self.path)
        exchange = self.server.world.of_host(request.host)
        fault = exchange.faults.next_for(request)
        if fault is None:
            self._reply(_answer(exchange, request))
        else:
            self._fail(fault, exchange, request)

    do_GET = do_POST = do_DELETE = do_PUT = _handle

    def _request(self) -> Request | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            self.close_connection = True
            self._reply(Reply({"error": f"the body is longer than {LONGEST_BODY} bytes"}, 413))
            return None
        url = urlsplit(self.path)
        return Request(
            method=self.command,
            host=self.headers.get("Host", ""),
            path=url.path,
            query=url.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
        )

    def _fail(self, fault: Fault, exchange: Exchange, request: Request) -> None:
        reply = _answer(exchange, request) if fault.moment == Moment.AFTER else None
        if fault.kind in (Kind.DELAY, Kind.HANG):
            time.sleep(fault.seconds)
        if fault.kind == Kind.DELAY:
            self._reply(reply or _answer(exchange, request))
        elif fault.kind == Kind.STATUS:
            self._reply(Reply("Service Unavailable", fault.status))
        elif fault.kind == Kind.GARBAGE:
            self._send(200, {}, GARBAGE, len(GARBAGE))
        elif fault.kind == Kind.CLOSE:
            content = (reply or Reply({})).content
            self._send(200, {}, content[: len(content) // 2], len(content))
            self.close_connection = True
        else:
            if fault.kind == Kind.LATE:
                Timer(fault.seconds, _answer, (exchange, request)).start()
            self.close_connection = True

    def _reply(self, reply: Reply) -> None:
        self._send(reply.status, reply.headers, reply.content, len(reply.content))

    def _send(self, status: int, headers: Mapping[str, str], content: bytes, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, _timestamp: float | None = None) -> str:
        """Return the exchanges' time, which is that of their replies."""
        return format_datetime(self.server.world.clock.now(), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet; `on_request` is for those who want to see."""


def _answer(exchange: Exchange, request: Request) -> Reply:
    reply = exchange.dialect.answer(request)
    at = exchange.dialect.venue.clock.now().isoformat()
    exchange.log.append(
        {
            "at": at,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "status": reply.status,
        }
    )
    return reply
