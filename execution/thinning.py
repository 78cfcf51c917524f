"""Remove old cycles of the marketplace's own runs in which nothing was done.

They are hundreds of thousands a day, and what is published does not need them: a record is made of the end
of each day, of fills, and of counts that were added up when a cycle was new. What stays for good: each cycle
with an order, with its receipt; of each UTC day the last one of each outcome, and the last with a value; the
run's first; and the newest signals, which people try with their own accounts. Cycles of people all stay.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import Coalesce, RowNumber

from bot_sdk.timeframes import floor
from execution.account_fit import MOST_SIGNALS, newest_wishes
from execution.models import Action, BotRecord, Cycle, SubscriptionPerformance
from subscriptions.models import Subscription

MOST_DAYS = 1000  # of runs, at a time: each has 1,440 cycles at most
OUTCOME = ("state", "verdict", "action", "signal_action", "skip")

_DAY = timedelta(days=1)


def thin(at: datetime) -> int:
    """Thin what is older than PAPER_RUN_CYCLE_DAYS and was measured; return how many cycles were removed.

    At most MOST_DAYS days of runs, those first that were thinned least.
    """
    before = floor("1d", at) - timedelta(days=settings.PAPER_RUN_CYCLE_DAYS)
    removed, room = 0, MOST_DAYS
    for measured in _due(before)[:MOST_DAYS]:
        run = measured.subscription
        day = measured.thinned_until or floor("1d", run.created_at)
        until = min(before, floor("1d", measured.measured_until), day + room * _DAY)
        room -= (until - day) // _DAY
        removed += _thin(run, day, until)
        SubscriptionPerformance.objects.filter(pk=measured.pk).update(thinned_until=until)
        if not room:
            break
    return removed


def _due(before: datetime) -> QuerySet[SubscriptionPerformance]:
    """Runs with a day that is old enough, and wholly measured, also into a record."""
    recorded = BotRecord.objects.filter(
        version=OuterRef("subscription__version"), kind=BotRecord.Kind.FORWARD, measured_at__isnull=False
    )
    thinned_until = Coalesce("thinned_until", "subscription__created_at")
    runs = SubscriptionPerformance.objects.filter(
        Exists(recorded), subscription__in=Subscription.objects.forward_runs()
    )
    due = runs.alias(until=thinned_until).filter(until__lt=before, measured_until__gte=F("until") + _DAY)
    told = due.select_related("subscription").defer("metrics", "daily", "execution")
    return told.order_by("until", "pk")


def _thin(run: Subscription, day: datetime, until: datetime) -> int:
    wishes = list(newest_wishes(run).values_list("candle_opened_at", flat=True))
    oldest_wish = wishes[-1] if len(wishes) == MOST_SIGNALS else run.created_at
    removed = 0
    while day < until:
        surplus = _surplus(run, day).exclude(
            action__in=[Action.BUY, Action.SELL], candle_opened_at__gte=oldest_wish
        )
        removed += surplus.only("pk").delete()[0]
        day += _DAY
    return removed


def _surplus(run: Subscription, day: datetime) -> QuerySet[Cycle]:
    """Return the day's cycles without an order but for the last of each outcome, and the run's first."""
    cycles = Cycle.objects.of(run).filter(candle_opened_at__gte=day, candle_opened_at__lt=day + _DAY)
    is_valued = ExpressionWrapper(Q(equity__isnull=False, price__isnull=False), output_field=BooleanField())
    from_the_last = Window(RowNumber(), partition_by=[*OUTCOME, is_valued], order_by="-candle_opened_at")
    earlier = cycles.exclude(state=Cycle.State.RUNNING).annotate(place=from_the_last).filter(place__gt=1)
    first = Cycle.objects.of(run).order_by("candle_opened_at").values("pk")[:1]
    return cycles.filter(order=None, pk__in=earlier.values("pk")).exclude(pk__in=first)
