"""The zygotes of this process: started when a bot first needs one, replaced when old or gone."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath

from bot_sdk.model_files import MODEL_ENDINGS, ModelFile
from execution.sandbox.engine import Engine, Layers
from execution.sandbox.zygote import Zygote

# Libraries that take long to import, if a bot's code names them, with what is mostly used of each. All leave
# one thread.
PRELOADS = {
    "joblib": ("joblib",),
    "lightgbm": ("lightgbm",),
    "onnxruntime": ("onnxruntime",),
    "pandas_ta": ("pandas_ta",),
    "scipy": ("scipy.signal", "scipy.stats"),
    "sklearn": ("sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "sklearn.preprocessing"),
    "skops": ("skops.io",),
    "talib": ("talib",),
    "xgboost": ("xgboost",),
}
_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.MULTILINE)

_MOST_ZYGOTES = 4  # of different libraries at a time
# All forks of one zygote have the same address layout: what one finds out must not serve another for long.
_LONGEST_LIFE_SECONDS = 600.0
_MOST_RUNS = 5_000

Preload = tuple[str, ...]


def needs(code: str, models: Sequence[ModelFile]) -> Preload:
    """Return which libraries to load before the bot is run. A wrong guess costs time and nothing else."""
    endings = [MODEL_ENDINGS.get(PurePosixPath(model.filename).suffix) for model in models]
    for_models = {module.partition(".")[0] for ending in endings if ending for module in ending.libraries}
    return tuple(sorted(PRELOADS.keys() & for_models.union(_IMPORT.findall(code))))


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
        self._make = (engine, tuple(module for name in preload for module in PRELOADS[name]), layers)
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
