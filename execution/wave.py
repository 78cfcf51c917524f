"""All that is due when a candle closes, market by market.

A tick names the candle that closed; the database says which active subscriptions have no cycle for it yet.
Each market is viewed once for all of them. A unique (subscription, candle) and a claim per cycle make
doubled, late and repeated ticks harmless.
"""

import functools
import logging
import os
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from bot_sdk.ledger import Holding
from bot_sdk.risk import SkipReason
from bot_sdk.timeframes import duration
from bots import storage
from bots.errors import ArtifactError
from exchanges.paper_gateway import PaperGateway
from execution.cycle import Decision, MarketView, execute_full_cycle
from execution.models import Action, Cycle
from execution.orders import is_fresh, place_order, position_of, settle_lost_orders
from execution.sandbox import Verdict
from subscriptions.models import Subscription, SubscriptionQuerySet

logger = logging.getLogger(__name__)

LEASE_MARGIN_SECONDS = 120  # beyond the bots' own time: crawling, risk, orders, writing
CONFINED_RUNS_AT_ONCE = os.cpu_count() or 1


def due(timeframe: str, opened_at: datetime) -> SubscriptionQuerySet:
    """Active subscriptions of this timeframe that have no cycle for the candle opened at `opened_at`."""
    decided = Cycle.objects.filter(candle_opened_at=opened_at).values("subscription_id")
    return Subscription.objects.active().filter(timeframe=timeframe).exclude(pk__in=decided)


def due_markets(timeframe: str, opened_at: datetime) -> list[int]:
    return list(due(timeframe, opened_at).order_by("market").values_list("market", flat=True).distinct())


def claim(subscriptions: Iterable[Subscription], timeframe: str, opened_at: datetime) -> list[Cycle]:
    """Create a RUNNING cycle for each subscription that has none and return those that are ours."""
    subscriptions = list(subscriptions)
    token = uuid.uuid4()
    rounds = -(-len(subscriptions) // CONFINED_RUNS_AT_ONCE)
    lease = timedelta(seconds=rounds * settings.BOT_EXECUTION_TIMEOUT + LEASE_MARGIN_SECONDS)
    now = timezone.now()
    Cycle.objects.bulk_create(
        [
            Cycle(
                subscription=subscription,
                candle_opened_at=opened_at,
                candle_closed_at=opened_at + duration(timeframe),
                claim=token,
                started_at=now,
                lease_until=now + lease,
            )
            for subscription in subscriptions
        ],
        ignore_conflicts=True,
    )
    ours = Cycle.objects.filter(claim=token).select_related(
        "subscription__bot", "subscription__version", "subscription__market"
    )
    return list(ours)


def decide_all(view: MarketView, cycles: list[Cycle]) -> None:
    """Run each cycle's bot on the view, a few at once, and finish each as it ends.

    One subscription's trouble stays its own: whatever ends a cycle is written on it, and the others go on.
    """
    read_code = functools.cache(storage.read_code)
    with ThreadPoolExecutor(CONFINED_RUNS_AT_ONCE) as pool:
        running = {}
        for cycle in cycles:
            try:
                code = read_code(cycle.subscription.version)
            except ArtifactError as error:
                logger.error("Version %s cannot run: %s", cycle.subscription.version, error)
                close_without_decision(cycle, SkipReason.PLATFORM_ERROR, str(error))
                continue
            holding = position_of(cycle.subscription).holding
            running[pool.submit(_run_cycle, cycle, view, code, holding)] = cycle
        for future in as_completed(running):
            finish(cycle=running[future], decision=future.result(), view=view)


def finish(*, cycle: Cycle, decision: Decision, view: MarketView) -> Cycle:
    """Act on the decision: place the order it asks for, then write the whole cycle down.

    Does nothing when the cycle is no longer this worker's.
    """
    if not Cycle.objects.filter(pk=cycle.pk, state=Cycle.State.RUNNING, claim=cycle.claim).exists():
        return cycle
    _describe(cycle, decision)
    cycle.price = view.ticker.last
    if decision.signal.action != Action.HOLD:
        if is_fresh(view.timeframe, view.closed_at, timezone.now()):
            paper = PaperGateway(view.market.trading_pair, view.market.rules, view.ticker)
            cycle.message = place_order(cycle=cycle, signal=decision.signal, gateway=paper).message
        else:
            cycle.skip = SkipReason.STALE_CANDLE
            cycle.message = "The signal came too late after the candle's close to trade on."
    cycle.equity = position_of(cycle.subscription).holding.equity(view.ticker.last)
    return _close(cycle)


def close_without_decision(cycle: Cycle, skip: SkipReason, message: str) -> Cycle:
    """Finish a cycle in which no bot ran, with the reason for the trader."""
    cycle.skip = skip
    cycle.message = message
    cycle.signal_action = Action.HOLD
    return _close(cycle)


def sweep(at: datetime) -> int:
    """Mark cycles whose worker died as interrupted and settle their orders; return how many."""
    message = "The worker stopped during this cycle. The next candle is decided as usual."
    swept = Cycle.objects.lost(at).update(state=Cycle.State.INTERRUPTED, finished_at=at, message=message)
    settle_lost_orders()
    return swept


def _run_cycle(cycle: Cycle, view: MarketView, code: str, holding: Holding) -> Decision:
    """Decide in a pool thread; it reads nothing from the database."""
    subscription = cycle.subscription
    return execute_full_cycle(
        view.timeframe,
        subscription.config,
        code=code,
        view=view,
        holding=holding,
        allocated_capital=subscription.allocated_capital,
    )


def _describe(cycle: Cycle, decision: Decision) -> None:
    """Put what was run, said and signaled on the cycle."""
    run, signal = decision.run, decision.signal
    cycle.verdict = run.verdict
    cycle.message = run.message
    cycle.log = run.log
    cycle.bot_seconds = run.seconds
    cycle.bot_cpu_seconds = run.cpu_seconds
    cycle.bot_peak_memory_mb = run.peak_memory_mb
    if run.action is not None:
        cycle.action = run.action.action
        cycle.value = run.action.value
        cycle.reason = run.action.reason[:500]
    cycle.signal_action = signal.action
    cycle.signal_source = signal.source
    cycle.signal_reason = signal.reason[:500]
    cycle.skip = signal.skip or ""
    if run.verdict == Verdict.UNAVAILABLE:
        logger.error("No bot can run: %s", run.message)
        cycle.skip = SkipReason.PLATFORM_ERROR


def _close(cycle: Cycle) -> Cycle:
    cycle.state = Cycle.State.DONE
    cycle.finished_at = timezone.now()
    cycle.save()
    return cycle
