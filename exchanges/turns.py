"""One process at a time asks an exchange for what several need at once; the others then find it."""

import contextlib
from collections.abc import Iterator

import redis

from exchanges.gateways import shared_redis

TURN_SECONDS = 20  # longer than it takes to ask for one market's newest candles


@contextlib.contextmanager
def in_turn(name: str, patience_seconds: float = TURN_SECONDS) -> Iterator[None]:
    """Wait so long for those who do `name` already, and then do it. This saves requests, no more."""
    turn = shared_redis().lock(name, timeout=TURN_SECONDS, blocking_timeout=patience_seconds)
    with contextlib.suppress(redis.RedisError):
        turn.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(redis.RedisError):  # it ran out, or was never had
            turn.release()
