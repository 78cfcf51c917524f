"""The rows of django-celery-beat that drive everything; staff see and may pause them in the admin."""

import json

from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from bot_sdk.timeframes import TIMEFRAMES, duration

CRONTABS = {
    "1m": {"minute": "*"},
    "5m": {"minute": "*/5"},
    "15m": {"minute": "*/15"},
    "30m": {"minute": "*/30"},
    "1h": {"minute": "0"},
    "4h": {"minute": "0", "hour": "*/4"},
    "1d": {"minute": "0", "hour": "0"},
}


EXPIRE = {IntervalSchedule.SECONDS: 10}  # seconds; what waits longer has been overtaken


def install() -> None:
    """Create the rows that are missing; what staff changed on existing ones stays."""
    for timeframe in TIMEFRAMES:
        crontab, _ = CrontabSchedule.objects.get_or_create(
            **{"minute": "*", "hour": "*", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*"}
            | CRONTABS[timeframe],
            timezone=settings.TIME_ZONE,
        )
        PeriodicTask.objects.get_or_create(
            name=f"Tick {timeframe}",
            defaults={
                "task": "execution.tasks.tick",
                "crontab": crontab,
                "args": json.dumps([timeframe]),
                # a tick that waited for a whole candle has been overtaken by the next one
                "expire_seconds": int(duration(timeframe).total_seconds()),
            },
        )
    _every(1, IntervalSchedule.MINUTES, "Sweep interrupted cycles", "execution.tasks.sweep", [])
    _every(10, IntervalSchedule.SECONDS, "Look after orders", "execution.tasks.look_after_orders", [])
    _every(10, IntervalSchedule.SECONDS, "Watch prices", "execution.tasks.watch_prices", [])
    _every(10, IntervalSchedule.SECONDS, "Deliver notifications", "accounts.tasks.deliver_notifications", [])
    _every(30, IntervalSchedule.SECONDS, "Check protection", "execution.tasks.check_protection", [])
    name = "Compare exchange accounts with the books"
    _every(10, IntervalSchedule.MINUTES, name, "execution.tasks.reconcile_accounts", [])
    _every(1, IntervalSchedule.MINUTES, "Keep bots' records", "execution.tasks.keep_records", [])
    _every(1, IntervalSchedule.HOURS, "Measure subscriptions", "execution.tasks.measure_performance", [])
    _every(1, IntervalSchedule.HOURS, "Thin old paper runs", "execution.tasks.thin_paper_runs", [])
    _every(1, IntervalSchedule.HOURS, "Check the books' rules", "execution.tasks.check_invariants", [])
    _every(1, IntervalSchedule.DAYS, "Check exchange accounts' keys", "exchanges.tasks.check_accounts", [])
    _every(1, IntervalSchedule.DAYS, "Move old candles to the history", "exchanges.tasks.archive_candles", [])
    _every(1, IntervalSchedule.DAYS, "Forget old notifications", "accounts.tasks.forget_notifications", [])
    _every(1, IntervalSchedule.DAYS, "Forget old drafts", "subscriptions.tasks.forget_drafts", [])
    _every(1, IntervalSchedule.DAYS, "Sweep the storage of bots' files", "bots.tasks.sweep_artifacts", [])
    for exchange in settings.SUPPORTED_EXCHANGES:
        name = f"Refresh markets of {exchange}"
        _every(1, IntervalSchedule.HOURS, name, "execution.tasks.refresh_markets", [exchange])
        name = f"Check the clock against {exchange}"
        _every(10, IntervalSchedule.MINUTES, name, "execution.tasks.check_clock", [exchange])


def _every(every: int, period: str, name: str, task: str, arguments: list[str]) -> None:
    interval, _ = IntervalSchedule.objects.get_or_create(every=every, period=period)
    defaults = {
        "task": task,
        "interval": interval,
        "args": json.dumps(arguments),
        "expire_seconds": EXPIRE.get(period, 3600),
    }
    PeriodicTask.objects.get_or_create(name=name, defaults=defaults)
