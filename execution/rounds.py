"""Turns for all versions, however many before them cannot be taken now."""

from django.db.models import QuerySet

from bots.models import BotVersion
from exchanges.gateways import shared_redis


class Round:
    """Which of the versions that wait for something were passed over since all had their turn the last time.

    It is kept in Redis, under the round's name: who asks is another process each time. Once it is lost, a new
    round begins.
    """

    def __init__(self, name: str) -> None:
        self._key = f"passed-over:{name}"

    def take(self, waiting: QuerySet[BotVersion], *, most: int) -> list[BotVersion]:
        """Return the first `most` that were not passed over; when there are fewer, the next round begins."""
        passed_over = [int(pk) for pk in shared_redis().smembers(self._key)]
        found = list(waiting.exclude(pk__in=passed_over)[:most])
        if passed_over and len(found) < most:
            shared_redis().delete(self._key)
        return found

    def pass_over(self, version: BotVersion) -> None:
        """Have others before it, until the round ends."""
        shared_redis().sadd(self._key, version.pk)
