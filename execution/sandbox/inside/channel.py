"""The run's one line to the worker: lines of JSON, questions and then the answer."""

import json
import os
import threading
from typing import Any

_UP = b"U"
_CHUNK = 64 * 1024  # bytes


class Channel:
    """Asks the worker what the bot wants to know. The account that a confined bot is connected to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._received = b""
        self._lock = threading.Lock()  # a bot may ask from several threads

    def may_begin(self) -> bool:
        """Tell that the walls are up, and wait until the worker lets the run begin; False when it is gone."""
        os.write(self._descriptor, _UP)
        return bool(os.read(self._descriptor, 1))

    def answer(self, question: str, *arguments: object) -> Any:
        """Return the worker's answer to a question. Raises ValueError, with its words, when it refuses."""
        with self._lock:
            self.write(json.dumps({"ask": question, "with": arguments}).encode() + b"\n")
            reply = json.loads(self._read_line())
        if "error" in reply:
            raise ValueError(reply["error"])
        return reply["answer"]

    def write(self, line: bytes) -> None:
        """Write all of a line."""
        while line:
            line = line[os.write(self._descriptor, line) :]

    def wait_for_the_end(self) -> None:
        """Wait until the worker ends this process, which may first want to see what it has used."""
        os.read(self._descriptor, 1)

    def _read_line(self) -> bytes:
        while b"\n" not in self._received:
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                raise ConnectionError("The worker has stopped listening.")
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line
