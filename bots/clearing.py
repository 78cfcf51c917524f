"""Remove the files of versions that nobody can use any more, and that nobody has to look at again.

What was offered stays, since somebody may have it. What staff have judged stays, since it is what they
judged. What its developer withdrew, or what failed its checks, stays for a while, so that a next version may
begin with its files.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from bots import storage
from bots.models import BotVersion, BotVersionQuerySet, Review

KEPT_FOR = timedelta(days=90)
MOST_CLEARED = 1000  # versions, at a time


def clear(at: datetime) -> int:
    """Remove the files of what ended longer than KEPT_FOR ago; return of how many versions.

    Their rows, checks and metadata.json stay.
    """
    cleared = 0
    for version in _unused(at).order_by("pk")[:MOST_CLEARED]:
        with transaction.atomic():
            mine = BotVersion.objects.filter(pk=version.pk)
            cleared += mine.update(files_removed_at=at)  # none when its bot was deleted meanwhile
            objects = list(version.artifacts.values_list("key", "object_version"))
            version.artifacts.all().delete()
        storage.delete(objects)
    return cleared


def _unused(at: datetime) -> BotVersionQuerySet:
    states = [BotVersion.State.WITHDRAWN, BotVersion.State.FAILED]
    ended_at = Coalesce("stopped_at", "gate__finished_at", "submitted_at", "created_at")
    ended = BotVersion.objects.filter(state__in=states, files_removed_at=None).alias(ended_at=ended_at)
    judged = Review.objects.filter(version=OuterRef("pk"))
    return ended.filter(~Exists(judged), ended_at__lt=at - KEPT_FOR)
