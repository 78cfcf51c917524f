"""The zygotes of this process: started when a bot first needs one, replaced when old or gone."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bot_sdk.process.preloads import Preload, modules_of
from execution.sandbox.engine import Engine, Layers
from execution.sandbox.zygote import Zygote

_MOST_ZYGOTES = 4  # of different libraries at a time
# All forks of one zygote have the same address layout: what one finds out must not serve another for long.
_LONGEST_LIFE_SECONDS = 600.0
_MOST_RUNS = 5_000


class Nursery:
    """Hands out zygotes by the libraries that they have loaded. Threads may share it; forks may not."""

    def __init__(self, engine: Engine, layers: Layers) -> None:
        self.engine = engine
        self.layers = layers
        self._zygotes: dict[Preload, _Kept] = {}
        self._lock = threading.Lock()

    @contextmanager
    def zygote(self, preload: Preload) -> Iterator[Zygote]:
        """Borrow a warm zygote with these libraries. Raises SandboxUnavailable when none can be started."""
        with self._lock:
            kept = self._zygotes.pop(preload, None)
            if kept is None or kept.is_spent:
                self._let_go(kept)
                kept = _Kept(self.engine, preload, self.layers)
            self._zygotes[preload] = kept  # last in the row: the one that was needed last
            while len(self._zygotes) > _MOST_ZYGOTES:
                self._let_go(self._zygotes.pop(next(iter(self._zygotes))))
            kept.borrowers += 1
        try:
            yield kept.get()
        finally:
            with self._lock:
                kept.borrowers -= 1
                if kept.is_retired:
                    self._let_go(kept)

    def close(self) -> None:
        """Let every zygote go, each when its last run is over."""
        with self._lock:
            for kept in self._zygotes.values():
                self._let_go(kept)
            self._zygotes.clear()

    def _let_go(self, kept: "_Kept | None") -> None:
        if kept is not None:
            kept.is_retired = True
            if not kept.borrowers:
                kept.close()


class _Kept:
    """One zygote, which the first borrower starts while the others wait for it, and nobody else does."""

    def __init__(self, engine: Engine, preload: Preload, layers: Layers) -> None:
        self.borrowers = 0
        self.is_retired = False
        self._make = (engine, modules_of(preload), layers)
        self._zygote: Zygote | None = None
        self._failed = False
        self._starting = threading.Lock()

    def get(self) -> Zygote:
        with self._starting:
            if self._zygote is None:
                try:
                    self._zygote = Zygote(*self._make)
                except BaseException:
                    self._failed = True
                    raise
            return self._zygote

    @property
    def is_spent(self) -> bool:
        if self._zygote is None:
            return self._failed
        age = time.monotonic() - self._zygote.started_at
        return age > _LONGEST_LIFE_SECONDS or self._zygote.runs > _MOST_RUNS or not self._zygote.is_alive()

    def close(self) -> None:
        if self._zygote is not None:
            self._zygote.close()
