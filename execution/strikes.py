"""Three strikes put a version in quarantine: it is not run any more, until staff have looked."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from bots.publishing import quarantine
from execution.models import Strike
from execution.sandbox import Run, Verdict
from subscriptions.models import Subscription

logger = logging.getLogger(__name__)

STRIKES = 3
MEMORY = timedelta(hours=24)
# A bot that merely raises does no harm to others, and its traders see it.
COUNTED = (Verdict.TIMED_OUT, Verdict.OUT_OF_MEMORY, Verdict.FORBIDDEN, Verdict.CRASHED, Verdict.BAD_REPLY)
# With less time than this it may have been our fault: the run began late.
FAIR_SECONDS = 10.0


def count(subscriptions: Sequence[Subscription], run: Run, candle_closed_at: datetime) -> None:
    """Count a run that ended badly against the version of those it was made for, once per candle."""
    version = subscriptions[0].version
    if run.verdict not in COUNTED or not _is_fair(run) or not _is_the_versions(run, subscriptions):
        return
    Strike.objects.get_or_create(
        version=version,
        candle_closed_at=candle_closed_at,
        defaults={"verdict": run.verdict, "message": run.message},
    )
    counting = Strike.objects.filter(version=version, created_at__gt=timezone.now() - MEMORY)
    if version.released_at is not None:
        counting = counting.filter(created_at__gt=version.released_at)
    if counting.count() >= STRIKES and quarantine(version, f"On {STRIKES} candles in a day: {run.message}"):
        logger.warning("%s is in quarantine: %s", version, run.message)


def _is_fair(run: Run) -> bool:
    """Whether a run that was out of time had enough of it, by the clock or on a processor."""
    seconds = min(FAIR_SECONDS, settings.BOT_EXECUTION_TIMEOUT)
    cpu_seconds = seconds * settings.BOT_MAX_CPU_PERCENT / 100
    return run.verdict != Verdict.TIMED_OUT or run.seconds >= seconds or run.cpu_seconds >= cpu_seconds


def _is_the_versions(run: Run, subscriptions: Sequence[Subscription]) -> bool:
    """Whether it is the version's doing, and not that of one trader's choice of settings.

    Nobody comes upon what is FORBIDDEN by a parameter.
    """
    version = subscriptions[0].version
    defaults = {parameter.name: parameter.default for parameter in version.declared_parameters}
    traders = {subscription.trader_id for subscription in subscriptions}
    strategy_config = defaults | subscriptions[0].strategy_config
    return run.verdict == Verdict.FORBIDDEN or len(traders) > 1 or strategy_config == defaults
