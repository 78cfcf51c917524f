"""How far this machine's clock is from an exchange's: orders are stamped, and candles close, by theirs."""

from datetime import UTC, datetime, timedelta

from exchanges.gateway import PublicGateway

MOST_SKEW = timedelta(seconds=1)
_TRIES = 3  # a call may have waited for its turn; the quickest answer tells best


def skew(gateway: PublicGateway) -> timedelta:
    """Return our clock minus the exchange's, to within half the time that its answer took.

    Raises ExchangeUnavailable.
    """
    _, difference = min(_difference(gateway) for _ in range(_TRIES))
    return difference


def _difference(gateway: PublicGateway) -> tuple[timedelta, timedelta]:
    """Return how long the answer took, and by how much our clock was ahead in the middle of that."""
    asked_at = datetime.now(UTC)
    theirs = gateway.fetch_time()
    took = datetime.now(UTC) - asked_at
    return took, asked_at + took / 2 - theirs
