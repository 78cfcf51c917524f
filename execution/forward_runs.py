"""The marketplace's own run of each version that is offered: on paper, from its publication on.

It is a subscription without a trader, with the settings of our backtests. So whatever decides, orders, values
and stops for traders does it for these runs, too, and nothing that goes by people counts them.

A version has one run for good. While it is not offered, or its market not listed, its run is paused, and
once it is again the same one goes on: so nobody begins anew to be rid of a bad record. A version in
quarantine keeps its run, which then decides nothing, as its subscribers' do.
"""

import logging
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery

from bot_sdk.timeframes import duration, floor, last_closed
from bots.models import Bot, BotVersion
from execution.freshness import FRESH_SHARE_OF_CANDLE
from execution.gate_steps import REFERENCE_CAPITAL
from execution.models import BotRecord, Cycle, SubscriptionPerformance
from execution.performance import BATCH
from execution.record_lines import FIGURES, thinned
from execution.reference import REFERENCE_EXECUTION, reference_of
from execution.rounds import Round
from execution.sandbox import Verdict
from subscriptions import lifecycle
from subscriptions.lifecycle import parse_settings
from subscriptions.models import Subscription

MOST_RUNS_A_MINUTE = 200  # of bots, by all of these together: 200 bots by the minute, or 12,000 by the hour
MOST_BEGUN = 100  # at a time
NOT_OFFERED = "Its version is not offered now."

logger = logging.getLogger(__name__)

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_GOES_ON = Q(
    version__state__in=[BotVersion.State.PUBLISHED, BotVersion.State.QUARANTINED],
    bot__state=Bot.State.LISTED,
)


def keep() -> None:
    """Pause the runs of what is not offered any more, resume those of what is again, and begin those missing.

    As many are begun as there is room for, of those that were published first. What cannot be run now is
    passed over until all others have had their turn.
    """
    runs = Subscription.objects.forward_runs()
    for run in runs.filter(state=Subscription.State.ACTIVE).exclude(_GOES_ON):
        lifecycle.pause(subscription=run, reason=NOT_OFFERED)
    for run in runs.filter(_GOES_ON, state=Subscription.State.PAUSED).select_related("market"):
        is_listed_again = run.market.is_active and run.state_reason == lifecycle.not_listed(run.market)
        if is_listed_again or run.state_reason == NOT_OFFERED:
            lifecycle.resume(subscription=run)
    known = runs.filter(version=OuterRef("pk"))
    missing = BotVersion.objects.offered().filter(~Exists(known)).select_related("bot")
    room = MOST_RUNS_A_MINUTE - _runs_a_minute()
    begun = []
    turns = Round("forward-runs")
    for version in turns.take(
        missing.order_by(F("published_at").asc(nulls_first=True), "pk"), most=MOST_BEGUN
    ):
        new = _run_of(version)
        if new is None:
            turns.pass_over(version)
        elif (room := room - _MINUTE / duration(new.timeframe)) >= 0:
            begun.append(new)
    # another worker may have begun one of them meanwhile
    Subscription.objects.bulk_create(begun, ignore_conflicts=True)


def measure(at: datetime) -> None:
    """Make records of what the runs have done until they were last measured as subscriptions.

    Beside records.FIGURES, `figures` has the candles `decided` and those `missed`: when we were down or late,
    when the version was not offered or in quarantine, when the market was not listed, when the exchange had
    no candle, and when the bot failed. What was missed makes no record longer: it counts as many days as the
    candles that were decided would fill.
    """
    first = Cycle.objects.filter(subscription=OuterRef("pk")).order_by("candle_opened_at")
    runs = Subscription.objects.forward_runs().filter(
        state=Subscription.State.ACTIVE, performance__isnull=False
    )
    runs = runs.annotate(first_candle=Subquery(first.values("candle_opened_at")[:1]))
    for batch in batched(runs.select_related("performance").iterator(BATCH), BATCH):
        BotRecord.objects.bulk_create(
            [_record_of(run, at) for run in batch],
            update_conflicts=True,
            unique_fields=["version", "kind"],
            update_fields=["measured_at", "days", "figures", "line"],
        )


def _runs_a_minute() -> float:
    active = Subscription.objects.forward_runs().filter(state=Subscription.State.ACTIVE)
    counts = active.order_by().values_list("timeframe").annotate(count=Count("pk"))
    return float(sum(count * (_MINUTE / duration(timeframe)) for timeframe, count in counts))


def _record_of(run: Any, at: datetime) -> BotRecord:
    measured: SubscriptionPerformance = run.performance
    step = duration(run.timeframe)
    # a run may decide the candle that closed shortly before it began, too
    first = min(run.first_candle, floor(run.timeframe, run.created_at))
    last = max(measured.measured_until, last_closed(run.timeframe, at - FRESH_SHARE_OF_CANDLE * step))
    decided = measured.execution["verdicts"].get(Verdict.OK, 0)
    figures = {key: measured.metrics[key] for key in FIGURES}
    return BotRecord(
        version_id=run.version_id,
        kind=BotRecord.Kind.FORWARD,
        measured_at=at,
        days=min(measured.days, -(-decided * step // _DAY)),
        figures=figures | {"decided": decided, "missed": (last - first) // step + 1 - decided},
        line=thinned(measured.daily["equity"]),
    )


def _run_of(version: BotVersion) -> Subscription | None:
    reference = reference_of(version.bot)
    problems: dict[str, str] = {}
    strategy, execution, risk = parse_settings(
        problems, version.declared_parameters, {}, REFERENCE_EXECUTION, version.risk_defaults
    )
    if reference is None or problems:
        logger.warning("%s cannot be run forward: %s", version, problems or "its pairs are not traded here")
        return None
    return Subscription(
        trader=None,
        bot=version.bot,
        version=version,
        market=reference.market,
        timeframe=reference.timeframe,
        allocated_capital=REFERENCE_CAPITAL,
        strategy_config=strategy,
        execution_config=execution.to_dict(),
        risk_config=risk.to_dict(),
    )
