"""Take in what a hostile process writes: without ever waiting for it, and only so much of it."""

import os
import socket
from io import FileIO

_CHUNK = 64 * 1024  # bytes


class Intake:
    """The bytes that came from one source so far, at most one chunk beyond `capacity`.

    Taking some out of `data` makes room. When nothing more can come or be kept, the source is closed, and who
    writes into it gets an error.
    """

    def __init__(self, source: FileIO | socket.socket, capacity: int) -> None:
        self.data = bytearray()
        self.is_open = True
        self._source = source
        self._capacity = capacity

    @property
    def is_overfull(self) -> bool:
        return len(self.data) > self._capacity

    def fileno(self) -> int:
        return self._source.fileno()

    def take(self) -> None:
        """Read what is there now, from a source that does not block."""
        while self.is_open and not self.is_overfull:
            try:
                chunk = os.read(self._source.fileno(), _CHUNK)
            except BlockingIOError:
                return
            except ConnectionError:
                chunk = b""
            if not chunk:
                self.is_open = False
            self.data += chunk
        self.is_open = False
        self._source.close()
