"""What workers do about bots' files."""

import logging

from celery import shared_task

from bots import packages, storage

logger = logging.getLogger(__name__)


@shared_task(time_limit=3600)
def sweep_artifacts() -> None:
    """Remove from storage what uploads that broke off left behind, and describe what is not described yet."""
    removed = storage.sweep()
    described = packages.describe_missing()
    if removed or described:
        logger.info("Removed %d objects that no row names, described %d versions", removed, described)
