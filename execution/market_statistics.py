"""All that was ever published here, in figures, so that what has gone is not forgotten."""

from dataclasses import dataclass

from django.db.models import Aggregate, Case, Count, Exists, F, FloatField, OuterRef, Q, QuerySet, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from bots.models import Bot, BotVersion
from execution.models import BotRecord

FEWEST_DAYS = 7  # of a record that counts

_Kind = BotRecord.Kind


@dataclass(frozen=True, slots=True)
class Results:
    """What versions got, after fees; medians in percent, of their returns and of their largest drawdowns."""

    whose: str
    count: int
    median_percent: float | None
    median_drawdown_percent: float | None
    gained: int
    beat_market: int  # had more than buying and holding


class _Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


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
    figures = {
        name: Cast(KeyTextTransform(f"{name}_percent", "figures"), FloatField())
        for name in ("total_return", "buy_and_hold", "max_drawdown")
    }
    offered = BotVersion.objects.offered().filter(pk=OuterRef("version"))
    measured = BotRecord.objects.filter(kind=kind, measured_at__isnull=False, days__gte=FEWEST_DAYS)
    known = measured.annotate(**figures, is_offered=Exists(offered)).order_by()
    return [
        _results("All ever published", known),
        _results("Offered now", known.filter(is_offered=True)),
        _results("No longer offered", known.filter(is_offered=False)),
    ]


def _results(whose: str, known: QuerySet[BotRecord]) -> Results:
    found = known.aggregate(
        count=Count("pk"),
        median_percent=_Median("total_return"),
        median_drawdown_percent=_Median("max_drawdown"),
        gained=Count("pk", filter=Q(total_return__gt=0)),
        beat_market=Count("pk", filter=Q(total_return__gt=F("buy_and_hold"))),
    )
    return Results(whose, **found)
