"""A trader's wish to have the newest closed candle decided now and not on schedule."""

from datetime import datetime

from celery import current_app
from django.utils import timezone
from kombu.exceptions import OperationalError

from bot_sdk.timeframes import last_closed
from execution.errors import AlreadyDecided, NotRunning, QueueUnavailable, TooOld
from execution.freshness import stale_at
from execution.models import Cycle
from execution.progress import next_run_at
from subscriptions.models import Subscription

RUN_TASK = "execution.tasks.run_bot_logic"


def run_now(*, subscription: Subscription) -> datetime:
    """Have a worker decide the newest closed candle; return when that candle closed.

    Asked for many times at once, it is decided once. Raises NotRunning, AlreadyDecided, TooOld, and
    QueueUnavailable when no broker answers.
    """
    now = timezone.now()
    opened_at = last_closed(subscription.timeframe, now)
    closed_at = next_run_at(subscription.timeframe, opened_at)
    if not Subscription.objects.active().filter(pk=subscription.pk).exists():
        raise NotRunning("This subscription does not run now, so there is nothing to decide.")
    candle = f"The candle that closed at {closed_at:%Y-%m-%d %H:%M} UTC"
    next_one = f"the next run is at {next_run_at(subscription.timeframe, now):%H:%M} UTC."
    if Cycle.objects.of(subscription).filter(candle_opened_at=opened_at).exists():
        raise AlreadyDecided(f"{candle} is already decided; {next_one}")
    if now >= stale_at(subscription.timeframe, closed_at):
        raise TooOld(f"{candle} is too old to trade on; {next_one}")
    try:
        # by name: the task's module would load what only workers need
        current_app.send_task(RUN_TASK, [subscription.pk], retry=False)
    except OperationalError as error:
        raise QueueUnavailable(
            "The run could not be queued. Try again later; candles are decided on schedule."
        ) from error
    return closed_at
