"""What the bot prints goes to the parent, which stops listening after 64 KB. The bot must not notice."""

import io
import os
import sys
from collections.abc import Buffer


class _Pipe(io.RawIOBase):
    """The write end of a pipe that keeps accepting text when nobody reads any more."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data)
        try:
            return os.write(self._descriptor, view)
        except BrokenPipeError:
            return len(view)


def send_prints_to(descriptor: int) -> io.TextIOWrapper:
    """Send both standard streams to the pipe from now on, and return the stream that they are."""
    stream = io.TextIOWrapper(
        io.BufferedWriter(_Pipe(descriptor)), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    sys.stdout = sys.stderr = stream
    return stream
