"""How far this machine's clock is from an exchange's: orders are stamped, and candles close, by theirs."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from django.core.cache import cache
from redis.exceptions import RedisError

from exchanges.errors import ExchangeUnavailable
from exchanges.gateway import PublicGateway

MOST_SKEW = timedelta(seconds=1)
KEPT_SECONDS = 3600  # it is measured every ten minutes
MOST_DOUBT = timedelta(seconds=3)  # a turn that was waited for, and a second on the way
_TRIES = 3  # a call may have waited for its turn; the quickest answer tells best


def skew(gateway: PublicGateway) -> timedelta:
    """Return our clock minus the exchange's, to within the time that its answer was on its way.

    Where it tells whole seconds, half a second may come on top. Raises ExchangeUnavailable, also when every
    answer took so long that orders must not go by it.
    """
    took, difference = min(_difference(gateway) for _ in range(_TRIES))
    if took > MOST_DOUBT:
        raise ExchangeUnavailable(
            f"The exchange took {took.total_seconds():.1f} s to tell the time; ask later."
        )
    return difference


def remember(exchange: str, ahead: timedelta) -> None:
    """Keep what was measured for all processes, an hour at most."""
    with suppress(RedisError):
        cache.set(_key(exchange), ahead, timeout=KEPT_SECONDS)


def now_at(exchange: str) -> datetime:
    """Return the exchange's time by our clock and what was measured of it lately; else by our clock alone."""
    ahead: timedelta | None = None
    with suppress(RedisError):
        ahead = cache.get(_key(exchange))
    return datetime.now(UTC) - (ahead or timedelta())


def _key(exchange: str) -> str:
    return f"clock-ahead:{exchange}"


def _difference(gateway: PublicGateway) -> tuple[timedelta, timedelta]:
    """Return how long the call took, and by how much our clock was ahead when its answer came.

    It may have waited for its turn before it left, so that the middle of its time says nothing.
    """
    asked_at = datetime.now(UTC)
    theirs = gateway.fetch_time()
    answered_at = datetime.now(UTC)
    if not theirs.microsecond:  # Kraken and Coinbase tell whole seconds: it was any moment of that one
        theirs += timedelta(seconds=0.5)
    return answered_at - asked_at, answered_at - theirs
