"""What workers do about notifications. Each task may come twice, late, or not at all."""

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from accounts import notifying

TURN_SECONDS = 60


@shared_task(time_limit=TURN_SECONDS)
def deliver_notifications() -> None:
    """Spread and send what is due, unless another worker is at it: services that hang hold up one at most."""
    if not cache.add("delivering-notifications", True, timeout=TURN_SECONDS):
        return
    try:
        while notifying.spread(timezone.now()) == notifying.MOST_AT_ONCE:
            pass
        notifying.deliver(timezone.now())
    finally:
        cache.delete("delivering-notifications")


@shared_task(time_limit=600)
def forget_notifications() -> None:
    """Delete old notifications."""
    notifying.forget(timezone.now())
