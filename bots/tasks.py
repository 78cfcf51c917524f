"""What workers do about bots' files."""

import logging

from celery import shared_task
from django.utils import timezone

from bots import clearing, packages, storage

logger = logging.getLogger(__name__)


@shared_task(time_limit=3600)
def sweep_artifacts() -> None:
    """Remove from storage what nobody needs, and describe what is not described yet."""
    cleared = clearing.clear(timezone.now())
    removed = storage.sweep()
    described = packages.describe_missing()
    if cleared or removed or described:
        logger.info(
            "Cleared %d versions, removed %d objects that no row names, described %d versions",
            cleared,
            removed,
            described,
        )
