"""Whose run begins next. Who does harm waits for all others, and then goes alone and yields."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from execution.models import Cycle
from execution.sandbox import Job

Asking = tuple[Job, list[Cycle]]  # a job, and the cycles that ask it


class Turns:
    """The runs that have not begun yet, for threads that each take one at a time.

    Runs of a version that did harm in this wave, and those added as suspects, come last and one after the
    other, so that hostile bots burn one core at most, however many settings they have.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._others: deque[Asking] = deque()
        self._suspects: deque[Asking] = deque()
        self._blamed: set[int] = set()  # versions
        self._suspect_is_running = False

    def add(self, asking: Asking, *, is_suspect: bool = False) -> None:
        with self._changed:
            is_suspect = is_suspect or _version(asking) in self._blamed
            (self._suspects if is_suspect else self._others).append(asking)
            self._changed.notify()

    def blame(self, asking: Asking) -> None:
        """Have all runs of its version that have not begun wait for all others."""
        version = _version(asking)
        with self._changed:
            self._blamed.add(version)
            waiting, self._others = self._others, deque()
            for each in waiting:
                (self._suspects if _version(each) == version else self._others).append(each)

    @contextmanager
    def next(self) -> Iterator[tuple[Asking, bool]]:
        """Give the run whose turn it is, and whether it is a suspect's.

        Wait while only suspects are left and one of them is running.

        As many turns may be taken as runs were added.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._others or (self._suspects and not self._suspect_is_running))
            is_suspect = not self._others
            asking = (self._suspects if is_suspect else self._others).popleft()
            if is_suspect:
                self._suspect_is_running = True
        try:
            yield asking, is_suspect
        finally:
            if is_suspect:
                with self._changed:
                    self._suspect_is_running = False
                    self._changed.notify()


def _version(asking: Asking) -> int:
    return asking[1][0].subscription.version_id
