"""A line that says how far a long run has come, where somebody watches."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_WIDTH = 40
_EVERY_SECONDS = 0.2


@contextmanager
def progress_line(done_fraction: Callable[[], float]) -> Iterator[None]:
    """Draw `done_fraction`, from 0 to 1, several times a second, and clear the line in the end.

    Nothing is written when the error output is no terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    is_over = threading.Event()
    drawing = threading.Thread(target=_draw, args=(done_fraction, is_over), daemon=True)
    drawing.start()
    try:
        yield
    finally:
        is_over.set()
        drawing.join()
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _draw(done_fraction: Callable[[], float], is_over: threading.Event) -> None:
    while not is_over.wait(_EVERY_SECONDS):
        done = min(done_fraction(), 1)
        bar = "█" * round(done * _WIDTH)
        print(f"\r{bar:░<{_WIDTH}} {done:>4.0%}", end="", file=sys.stderr, flush=True)
