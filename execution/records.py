"""The records that the marketplace keeps of published bots: its own backtest, its own run on paper since
their publication, and what subscribers got.

The database decides what is due: a version that is offered without a record is backtested, with settings that
are alike for all bots, and once only, so that nobody can try until it looks well; and from then on it is run
forward (`forward_runs`).
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from bot_sdk.desk import USUAL_SLIPPAGE_PERCENT
from bot_sdk.timeframes import duration, floor
from bots.models import BotVersion
from execution import forward_runs
from execution.backtest_requests import Wish, request
from execution.gate_steps import REFERENCE_CAPITAL
from execution.models import Backtest, BotRecord, SubscriptionPerformance
from execution.ranking import forget_former, note_exchanges, show_records
from execution.record_lines import FIGURES, thinned
from execution.reference import REFERENCE_EXECUTION, Reference, reference_of
from execution.rounds import Round
from subscriptions.models import Subscription

logger = logging.getLogger(__name__)

LONGEST_PERIOD = timedelta(days=365)
MOST_CANDLES = 100_000  # of one record; 1m over 69 days
MOST_LOOKED_AT = 100  # at a time, to find those that can be backtested
MOST_UNFINISHED = 2  # of the marketplace's own backtests, so that traders' have their turn
SETTLED = timedelta(days=1)  # so old are the newest candles that are asked for
AGAIN_AFTER = timedelta(days=1)  # when a backtest failed
FEWEST_TRADERS = 5  # whose results are summed up; of fewer, each would know the others'
FEWEST_DAYS = 7  # of a subscription that counts

_Kind = BotRecord.Kind


def keep(at: datetime) -> None:
    """Begin the runs and ask for the backtests that are missing, and take what the finished ones found."""
    forward_runs.keep()
    _take(at)
    show_records()
    forget_former()
    note_exchanges()
    room = MOST_UNFINISHED - Backtest.objects.filter(requested_by=None).unfinished().count()
    if room > 0:
        _ask_for(room, at)


def measure_subscribers(at: datetime) -> None:
    """Sum up what the subscribers of each version got, where they are too many for anyone to be known.

    `figures` has `traders`, and of the total returns after fees in percent `lower`, `median` and `upper`:
    half of all lies between the first and the last. A trader counts once, with the median of their own, so
    that nobody moves it by having many. A developer's own subscriptions do not count.
    """
    found: dict[int, dict[int, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    of_traders = SubscriptionPerformance.objects.filter(subscription__in=Subscription.objects.of_traders())
    foreign = of_traders.exclude(subscription__trader=F("subscription__bot__developer"))
    rows = foreign.values_list("subscription__version", "subscription__trader", "metrics", "daily")
    for version, trader, metrics, daily in rows.iterator():
        days, total = len(daily["equity"]) - 1, metrics["total_return_percent"]
        if days >= FEWEST_DAYS and total is not None:
            found[version][trader].append((total, days))
    records = [
        BotRecord(
            version_id=version, kind=_Kind.SUBSCRIBERS, measured_at=at, **_summed_up(by_trader.values())
        )
        for version, by_trader in found.items()
        if len(by_trader) >= FEWEST_TRADERS
    ]
    kept = [record.version_id for record in records]
    BotRecord.objects.filter(kind=_Kind.SUBSCRIBERS).exclude(version__in=kept).delete()
    BotRecord.objects.bulk_create(
        records,
        update_conflicts=True,
        unique_fields=["version", "kind"],
        update_fields=["measured_at", "days", "figures"],
    )


def _to_backtest(at: datetime) -> QuerySet[BotVersion]:
    """The versions that are offered without a backtest of ours, the newest first."""
    failed = Q(backtest__state=Backtest.State.FAILED, backtest__finished_at__lt=at - AGAIN_AFTER)
    kept = BotRecord.objects.filter(version=OuterRef("pk"), kind=_Kind.BACKTEST).exclude(failed)
    missing = BotVersion.objects.offered().filter(~Exists(kept))
    return missing.select_related("bot").order_by("-published_at", "-pk")


def _ask_for(room: int, at: datetime) -> None:
    turns = Round("backtests")
    for version in turns.take(_to_backtest(at), most=MOST_LOOKED_AT):
        reference = reference_of(version.bot)
        if reference is None:
            logger.warning("%s has no record yet: its pairs are not traded here", version)
            turns.pass_over(version)
            continue
        _ask(version, reference, at)
        room -= 1
        if not room:
            return


def _ask(version: BotVersion, reference: Reference, at: datetime) -> None:
    ends_at = floor("1d", at - SETTLED)
    days = min(LONGEST_PERIOD, MOST_CANDLES * duration(reference.timeframe)) // timedelta(days=1)
    wish = Wish(
        market=reference.market,
        timeframe=reference.timeframe,
        begins_at=ends_at - timedelta(days=days),
        ends_at=ends_at,
        capital=REFERENCE_CAPITAL,
        strategy_config={},
        execution_config=REFERENCE_EXECUTION,
        risk_config=version.risk_defaults,
        slippage_percent=USUAL_SLIPPAGE_PERCENT,
    )
    with transaction.atomic():
        record, _ = BotRecord.objects.get_or_create(version=version, kind=_Kind.BACKTEST)
        record.backtest = request(person=None, version=version, wish=wish)
        record.save(update_fields=["backtest"])


def _take(at: datetime) -> None:
    waiting = BotRecord.objects.filter(kind=_Kind.BACKTEST, measured_at=None, backtest__report__isnull=False)
    ended = waiting.filter(backtest__state__in=[Backtest.State.DONE, Backtest.State.ENDED_EARLY])
    for record in ended.select_related("backtest"):
        assert record.backtest is not None
        report = record.backtest.report
        assert report is not None
        equity = report["daily"]["equity"]
        record.measured_at = at
        record.days = len(equity) - 1
        record.figures = {key: report["metrics"][key] for key in FIGURES}
        record.line = thinned(equity)
        record.save(update_fields=["measured_at", "days", "figures", "line"])


def _summed_up(by_trader: Collection[Sequence[tuple[float, int]]]) -> dict[str, Any]:
    totals, days = zip(*(map(median, zip(*own, strict=True)) for own in by_trader), strict=True)
    lower, middle, upper = (round(value, 1) for value in quantiles(totals, n=4, method="inclusive"))
    return {
        "days": round(median(days)),
        "figures": {"traders": len(by_trader), "lower": lower, "median": middle, "upper": upper},
    }
