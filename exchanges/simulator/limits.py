"""How often an exchange lets itself be asked. Counted in real time, whatever the market's clock does."""

import threading
import time


class Window:
    """A weight that may be used up in each window of so many seconds, and begins anew with the next one."""

    def __init__(self, limit: float, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._used: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def add(self, name: str, weight: float) -> float:
        """Count the weight and return what `name` has used in this window, refused calls included."""
        number = int(time.monotonic() // self.seconds)
        with self._lock:
            window, used = self._used.get(name, (number, 0.0))
            used = used + weight if window == number else weight
            self._used[name] = (number, used)
            return used

    def seconds_left(self) -> float:
        """Return when the next window begins."""
        return self.seconds - time.monotonic() % self.seconds


class Leaking:
    """A counter that goes up with each call and down with time; who is above the limit is refused."""

    def __init__(self, limit: float, leak_per_second: float) -> None:
        self.limit = limit
        self.leak_per_second = leak_per_second
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def add(self, name: str, weight: float) -> bool:
        """Count the weight unless that would pass the limit; tell whether it was counted."""
        now = time.monotonic()
        with self._lock:
            at, level = self._levels.get(name, (now, 0.0))
            level = max(0.0, level - (now - at) * self.leak_per_second)
            is_allowed = level + weight <= self.limit
            self._levels[name] = (now, level + weight if is_allowed else level)
            return is_allowed


class Bans:
    """Who goes on asking after being told to stop is banned, each time for twice as long."""

    def __init__(self, patience: int, seconds: float) -> None:
        self._patience = patience
        self._seconds = seconds
        self._refused = 0
        self._until = 0.0
        self._lock = threading.Lock()

    def seconds_left(self) -> float:
        """Return for how long the ban still lasts; 0 when there is none."""
        return max(0.0, self._until - time.monotonic())

    def refuse(self) -> None:
        """Note that somebody asked above the limit."""
        with self._lock:
            self._refused += 1
            if self._refused > self._patience:
                self._refused = 0
                self._until = time.monotonic() + self._seconds
                self._seconds *= 2
