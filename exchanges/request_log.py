"""How often each exchange was asked for what, by hour, counted by all processes together in Redis."""

import contextlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis

HOURS = 24
_VARIABLE = re.compile(r"[^/]*[0-9-][^/]*")  # a name in an address, such as BTC-USDT or an order's id
_VERSION = re.compile(r"v?[0-9]")


@dataclass(frozen=True, slots=True)
class Hour:
    """What one exchange was asked in the hour that began at `begins_at`: "METHOD /path" and how often."""

    begins_at: datetime
    asked: Counter[str]


def count(server: redis.Redis, exchange: str, method: str, path: str) -> None:
    """Count a request that is about to be sent. A Redis that does not answer loses the count, no more."""
    key = _key(exchange, datetime.now(UTC))
    with contextlib.suppress(redis.RedisError):
        pipeline = server.pipeline(transaction=False)
        pipeline.hincrby(key, f"{method} {kind_of(path)}", 1)
        pipeline.expire(key, (HOURS + 1) * 3600)
        pipeline.execute()


def last_hours(server: redis.Redis, exchange: str) -> list[Hour]:
    """Return the last 24 hours, the current one first. Raises redis.RedisError."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [now - timedelta(hours=back) for back in range(HOURS)]
    pipeline = server.pipeline(transaction=False)
    for hour in hours:
        pipeline.hgetall(_key(exchange, hour))
    found = zip(hours, pipeline.execute(), strict=True)
    return [
        Hour(hour, Counter({kind.decode(): int(number) for kind, number in asked.items()}))
        for hour, asked in found
    ]


def kind_of(path: str) -> str:
    """Return the path with names in it, such as those of products and orders, left out."""
    parts = path.split("/")
    return "/".join(
        "*" if _VARIABLE.fullmatch(part) and not _VERSION.fullmatch(part) else part for part in parts
    )


def _key(exchange: str, at: datetime) -> str:
    return f"asked:{exchange}:{at:%Y-%m-%dT%H}"
