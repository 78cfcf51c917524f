"""Tell the operator about what only they can mend, once and not at every candle."""

import logging
from enum import StrEnum

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

QUIET_SECONDS = 900


class Trouble(StrEnum):
    BOTS_NOT_RUN = "bots-not-run"
    CLOCK_IS_WRONG = "clock-is-wrong"
    POSITION_IS_UNPROTECTED = "position-is-unprotected"
    BOOKS_DO_NOT_FIT = "books-do-not-fit"
    MARKET_IS_GONE = "market-is-gone"
    FILE_WAS_CHANGED = "file-was-changed"
    INVARIANT_BROKEN = "invariant-broken"
    GATE_STANDS_STILL = "gate-stands-still"


def alarm(trouble: Trouble, detail: str) -> None:
    """Log at CRITICAL, which goes by mail to OPERATOR_EMAIL too, unless the same was told just now."""
    logger.log(logging.CRITICAL if _is_new(trouble) else logging.ERROR, "%s: %s", trouble, detail)


def _is_new(trouble: Trouble) -> bool:
    try:
        return bool(cache.add(f"alarm:{trouble}", True, timeout=QUIET_SECONDS))
    except RedisError:
        return True
