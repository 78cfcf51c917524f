"""A stand-in exchange for what the simulator never does: fixed replies, broken ones, and none at all."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

CLOSED = b""  # the connection is closed without a reply


@contextmanager
def replaying(
    replies: Mapping[str, bytes], status: int = 200, at: datetime | None = None, location: str = ""
) -> Iterator[str]:
    """Answer each path of `replies` ("*": all others) with its bytes; the value is the server's URL.

    `at` is the date of the answers, by default now; `location` is where they send the client on to.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = replies.get(urlsplit(self.path).path, replies.get("*", b"{}"))
            if body != CLOSED:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def date_time_string(self, _timestamp: float | None = None) -> str:
            return format_datetime(at or datetime.now(UTC), usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def recorded(name: str) -> Any:
    """Return a recorded reply of a real exchange, or skip: recordings are not part of the project."""
    beside_project = Path(__file__).resolve().parents[3] / "shared" / "exchange-data"
    folder = Path(os.environ.get("EXCHANGE_DATA_DIR", beside_project))
    if not folder.is_dir():
        pytest.skip(f"no recorded replies in {folder}; name their folder with EXCHANGE_DATA_DIR")
    return json.loads((folder / name).read_text())


def differences(theirs: object, ours: object, path: str = "reply") -> list[str]:
    """What the recorded value has and ours lacks, or has with another JSON type; null goes with any."""
    if theirs is None or ours is None:
        return []
    if type(theirs) is not type(ours):
        return [f"{path}: {type(theirs).__name__} became {type(ours).__name__}"]
    if isinstance(theirs, dict) and isinstance(ours, dict):
        missing = [f"{path}.{key} is missing" for key in theirs if key not in ours]
        shared = [key for key in theirs if key in ours]
        return missing + [
            text for key in shared for text in differences(theirs[key], ours[key], f"{path}.{key}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        if theirs and isinstance(theirs[0], list):
            return differences(theirs[0], ours[0], f"{path}[0]")
        pairs = zip(theirs, ours, strict=False)
        return [text for pair in pairs for text in differences(*pair, f"{path}[]")] if ours else []
    return []
