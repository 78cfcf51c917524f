"""The simulated exchange as a real HTTP server."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

from exchanges.simulator.binance import Binance, Clock, Refusal
from exchanges.simulator.market import Market

logger = logging.getLogger(__name__)

IDLE_SECONDS = 60  # after which a kept-alive connection is closed


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def serve(
    port: int = 0,
    seed: int = 1,
    *,
    clock: Clock = utc_now,
    on_request: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """Serve the market of `seed` on 127.0.0.1 while the context lasts; its value is the server's URL.

    Port 0 takes a free one. `clock` is the exchange's time. `on_request` is called, from the serving thread,
    with each request's path and query. Raises OSError when the port is taken.
    """
    server = _Server(("127.0.0.1", port), Binance(Market(seed), clock), on_request)
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
        self, address: tuple[str, int], dialect: Binance, on_request: Callable[[str], None] | None
    ) -> None:
        super().__init__(address, _Handler)
        self.dialect = dialect
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

    def do_GET(self) -> None:
        if self.server.on_request is not None:
            self.server.on_request(self.path)
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        try:
            self._reply(HTTPStatus.OK, self.server.dialect.answer(url.path, query))
        except Refusal as refusal:
            self._reply(refusal.status, refusal.body)

    def _refuse_method(self) -> None:
        self.close_connection = True  # its body stays unread
        message = f"This operation is not supported: {self.command} {self.path}"
        self._reply(HTTPStatus.NOT_FOUND, {"code": -1020, "msg": message})

    do_POST = do_PUT = do_DELETE = _refuse_method

    def _reply(self, status: int, body: object) -> None:
        content = json.dumps(body, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet; `on_request` is for those who want to see."""
