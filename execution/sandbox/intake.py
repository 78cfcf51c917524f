"""Take in what a hostile process writes: without ever waiting for it, and only so much of it."""

import os
import socket
from io import FileIO

_CHUNK = 64 * 1024  # bytes


class Intake:
    """The bytes that came from one source so far, at most one chunk beyond `capacity`."""

    def __init__(self, source: FileIO | socket.socket, capacity: int) -> None:
        self.data = bytearray()
        self._source = source
        self._capacity = capacity

    @property
    def is_overfull(self) -> bool:
        return len(self.data) > self._capacity

    def fileno(self) -> int:
        return self._source.fileno()

    def take(self) -> bool:
        """Read what is there now, from a source that does not block.

        Return whether more can come. If not, the source is closed, and who writes into it gets an error.
        """
        while not self.is_overfull:
            try:
                chunk = os.read(self._source.fileno(), _CHUNK)
            except BlockingIOError:
                return True
            except ConnectionError:
                break
            if not chunk:
                break
            self.data += chunk
        self._source.close()
        return False
