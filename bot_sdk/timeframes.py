"""The timeframes that the platform trades on, and where a candle begins and ends.

Candles are aligned to the Unix epoch in UTC, as the exchanges have them: a `1d` candle opens at 00:00 UTC,
a `4h` candle at 00, 04, 08 ... A candle is stamped with its opening time and closes one duration later.
"""

from datetime import UTC, datetime, timedelta

_DURATIONS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TIMEFRAMES: tuple[str, ...] = tuple(_DURATIONS)


def duration(timeframe: str) -> timedelta:
    """Return how long one candle of `timeframe` lasts. ValueError names the allowed timeframes."""
    try:
        return _DURATIONS[timeframe]
    except KeyError:
        raise ValueError(f"Unknown timeframe {timeframe!r}; use one of {', '.join(TIMEFRAMES)}.") from None


def floor(timeframe: str, at: datetime) -> datetime:
    """Return the opening time, in UTC, of the candle that contains the aware moment `at`."""
    if at.tzinfo is None:
        raise ValueError(
            f"Expected a time with a time zone, got the naive {at.isoformat()}; attach UTC to it."
        )
    return at.astimezone(UTC) - (at - _EPOCH) % duration(timeframe)


def last_closed(timeframe: str, at: datetime) -> datetime:
    """Return the opening time, in UTC, of the newest candle that is closed at the aware moment `at`."""
    return floor(timeframe, at) - duration(timeframe)


def next_close(timeframe: str, at: datetime) -> datetime:
    """Return when, in UTC, the candle that is open at the aware moment `at` closes."""
    return floor(timeframe, at) + duration(timeframe)
