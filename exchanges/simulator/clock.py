"""The exchange's time, which may run ahead, be wrong, or go faster than ours."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


class SimulatedClock:
    """Start at the time of `source` and go on at `speed` times its pace."""

    def __init__(self, source: Callable[[], datetime] = utc_now, speed: float = 1.0) -> None:
        self._source = source
        self._speed = speed
        self._started_at = EPOCH if speed == 1 else source()
        self._offset = timedelta()
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the time in the market."""
        elapsed = self._source() - self._started_at
        return self._started_at + elapsed * self._speed + self._offset

    def milliseconds(self) -> int:
        """Return the time in the market, since the Unix epoch."""
        return int(self.now().timestamp() * 1000)

    def wall(self) -> datetime:
        """Return what the exchange takes for the time of day when it judges a signature."""
        return self._source() + self._offset

    def move(self, seconds: float) -> None:
        """Put the clock forward, or back for a negative number, once and for good."""
        with self._lock:
            self._offset += timedelta(seconds=seconds)
