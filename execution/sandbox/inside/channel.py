"""The run's one line to the worker: lines of JSON both ways, and rows of candles while a bot is rehearsed."""

import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

from bot_sdk.process.rows import ROWS, Row, read_rows, rows_length

_UP = b"U"
_CHUNK = 64 * 1024  # bytes
_MOST_UNSENT = 16 * 1024  # bytes
_LONGEST_UNSENT_SECONDS = 0.001


class Channel:
    """Asks the worker what the bot wants to know. The account that a confined bot is connected to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._received = b""
        self._unsent = b""
        self._written_at = 0.0
        self._rows: list[Row] = []  # that came and were not asked for yet
        self._width = 0  # numbers in one of them
        self._lock = threading.Lock()  # a bot may ask from several threads

    def may_begin(self) -> bool:
        """Tell that the walls are up, and wait until the worker lets the run begin; False when it is gone."""
        os.write(self._descriptor, _UP)
        return bool(os.read(self._descriptor, 1))

    def answer(self, question: str, *arguments: object) -> Any:
        """Return the worker's answer to a question. Raises ValueError, with its words, when it refuses."""
        with self._lock:
            self.write(json.dumps({"ask": question, "with": arguments}).encode() + b"\n")
            reply = json.loads(self._read_answer())
        if "error" in reply:
            raise ValueError(reply["error"])
        return reply["answer"]

    def write(self, line: bytes) -> None:
        """Write all of a line, after those that were put back."""
        line, self._unsent = self._unsent + line, b""
        while line:
            line = line[os.write(self._descriptor, line) :]

    def put(self, line: bytes) -> None:
        """Write a line, together with others when they come quickly, and before the worker is waited for.

        A bot that hangs or crashes takes no more with it than what it said within a millisecond.
        """
        self._unsent += line
        now = time.monotonic()
        if now - self._written_at > _LONGEST_UNSENT_SECONDS or len(self._unsent) > _MOST_UNSENT:
            self._written_at = now
            self.write(b"")

    def rows(self, count: int, width: int) -> Iterator[Row]:
        """Yield so many rows of `width` numbers as the worker sends them."""
        self._width = width
        while count:
            if not self._rows:
                self.write(b"")
                while not self._take_whole_rows():
                    self._receive()
            ready, self._rows = self._rows, []
            count -= len(ready)
            yield from ready

    def wait_for_the_end(self) -> None:
        """Wait until the worker ends this process, which may first want to see what it has used."""
        os.read(self._descriptor, 1)

    def _read_answer(self) -> bytes:
        """Return the next line; rows that come before it are kept for later."""
        while (length := self._received.find(b"\n") + 1) == 0 or self._received.startswith(ROWS):
            if not self._received.startswith(ROWS) or not self._take_whole_rows():
                self._receive()
        line, self._received = self._received[:length], self._received[length:]
        return line

    def _take_whole_rows(self) -> bool:
        """Take the rows at the beginning of what was received; False while some are still to come."""
        length = rows_length(self._received, self._width)
        if length is None or len(self._received) < length:
            return False
        self._rows += read_rows(self._received[:length], self._width)
        self._received = self._received[length:]
        return True

    def _receive(self) -> None:
        chunk = os.read(self._descriptor, _CHUNK)
        if not chunk:
            raise ConnectionError("The worker has stopped listening.")
        self._received += chunk
