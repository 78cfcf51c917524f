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
    numbers = list(_unused(at).order_by("pk").values_list("pk", flat=True)[:MOST_CLEARED])
    for pk in numbers:
        with transaction.atomic():
            version = BotVersion.objects.select_for_update().get(pk=pk)
            objects = list(version.artifacts.values_list("key", "object_version"))
            version.artifacts.all().delete()
            version.files_removed_at = at
            version.save(update_fields=["files_removed_at"])
        storage.delete(objects)
    return len(numbers)


def _unused(at: datetime) -> BotVersionQuerySet:
    states = [BotVersion.State.WITHDRAWN, BotVersion.State.FAILED]
    ended_at = Coalesce("stopped_at", "gate__finished_at", "submitted_at", "created_at")
    ended = BotVersion.objects.filter(state__in=states, files_removed_at=None).alias(ended_at=ended_at)
    judged = Review.objects.filter(version=OuterRef("pk"))
    return ended.filter(~Exists(judged), ended_at__lt=at - KEPT_FOR)
