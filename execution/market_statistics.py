"""All that was ever published here, in figures, so that what has gone is not forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from django.db.models import Case, Count, Exists, FloatField, OuterRef, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from bots.models import Bot, BotVersion
from execution.models import BotRecord

FEWEST_DAYS = 7  # of a record that counts

_FIGURES = ("total_return", "buy_and_hold", "max_drawdown")


@dataclass(frozen=True, slots=True)
class Results:
    """What versions got, after fees; medians in percent, of their returns and of their largest drawdowns."""

    whose: str
    count: int
    median_percent: float | None
    median_drawdown_percent: float | None
    gained: int
    beat_market: int  # had more than buying and holding


def bots_by_fate() -> dict[str, int]:
    """Return how many bots that were ever published are offered now, and how many for which reason not."""
    versions = BotVersion.objects.filter(bot=OuterRef("pk"))
    ever = Bot.objects.filter(Exists(versions.filter(published_at__isnull=False)))
    fate = Case(
        When(state=Bot.State.RETIRED, then=Value("Retired by their developers")),
        When(state=Bot.State.SUSPENDED, then=Value("Suspended by staff")),
        When(Exists(versions.published()), then=Value("Offered now")),
        default=Value("Without a version that is offered"),
    )
    return dict(
        ever.order_by().annotate(fate=fate).values_list("fate").annotate(Count("pk")).order_by("fate")
    )


def versions_by_state() -> dict[str, int]:
    """Return how many versions that were ever published are in which state, in words."""
    ever = BotVersion.objects.filter(published_at__isnull=False).order_by()
    counts = ever.values_list("state").annotate(count=Count("pk")).order_by("-count")
    return {BotVersion.State(state).label: count for state, count in counts}


def results(kind: str) -> list[Results]:
    """Return what came of all versions ever published by one kind of record, and of those offered or not."""
    figures = [KeyTextTransform(f"{name}_percent", "figures") for name in _FIGURES]
    offered = BotVersion.objects.offered().filter(pk=OuterRef("version"))
    measured = BotRecord.objects.filter(kind=kind, measured_at__isnull=False, days__gte=FEWEST_DAYS)
    found = measured.values_list(Exists(offered), *(Cast(figure, FloatField()) for figure in figures))
    rows = list(found)
    return [
        _results("All ever published", rows),
        _results("Offered now", [row for row in rows if row[0]]),
        _results("No longer offered", [row for row in rows if not row[0]]),
    ]


def _results(whose: str, rows: Sequence[tuple[bool, float, float, float]]) -> Results:
    return Results(
        whose=whose,
        count=len(rows),
        median_percent=median(total for _, total, _, _ in rows) if rows else None,
        median_drawdown_percent=median(drawdown for _, _, _, drawdown in rows) if rows else None,
        gained=sum(total > 0 for _, total, _, _ in rows),
        beat_market=sum(total > held for _, total, held, _ in rows),
    )
