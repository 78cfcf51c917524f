"""All that is due when a candle closes, market by market.

A tick names the candle that closed; the database says which active subscriptions have no cycle for it yet.
Each market is viewed once for all of them. A unique (subscription, candle) and a claim per cycle make
doubled, late and repeated ticks harmless.
"""

import functools
import logging
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from bot_sdk.risk import SkipReason
from bot_sdk.timeframes import duration
from bots import storage
from bots.errors import ArtifactError
from bots.models import BotVersion
from exchanges.paper_gateway import PaperGateway
from execution.cycle import Decision, MarketView, conclude, execute_full_cycle, stale_at
from execution.models import Action, Cycle
from execution.orders import place_order, position_of, settle_lost_orders
from execution.sandbox import Run, Verdict
from subscriptions.models import Subscription, SubscriptionQuerySet

logger = logging.getLogger(__name__)

LEASE_MARGIN_SECONDS = 120  # beyond the bots' own time: starting jails, risk, orders, writing
# more than there are cores, so that bots that merely wait do not hold up the others
CONFINED_RUNS_AT_ONCE = 4 * (os.cpu_count() or 1)

TOO_LATE = "The bot was asked too late after the candle's close for its signal to be traded on."
OUR_FAULT = "Something failed on our side during this cycle. Nothing more was ordered."

RESULT_FIELDS = (  # what a cycle's end writes
    "state",
    "finished_at",
    "verdict",
    "message",
    "action",
    "value",
    "reason",
    "signal_action",
    "signal_source",
    "signal_reason",
    "skip",
    "price",
    "equity",
    "log",
    "bot_seconds",
    "bot_cpu_seconds",
    "bot_peak_memory_mb",
)


def due(timeframe: str, opened_at: datetime) -> SubscriptionQuerySet:
    """Active subscriptions of this timeframe that have no cycle for the candle opened at `opened_at`."""
    decided = Cycle.objects.filter(candle_opened_at=opened_at).values("subscription_id")
    return Subscription.objects.active().filter(timeframe=timeframe).exclude(pk__in=decided)


def due_markets(timeframe: str, opened_at: datetime) -> list[int]:
    return list(due(timeframe, opened_at).order_by("market").values_list("market", flat=True).distinct())


def claim(subscriptions: Iterable[Subscription], timeframe: str, opened_at: datetime) -> list[Cycle]:
    """Create a RUNNING cycle for each subscription that has none and return those that are ours."""
    subscriptions = list(subscriptions)
    token, now, closed_at = uuid.uuid4(), timezone.now(), opened_at + duration(timeframe)
    rounds = -(-len(subscriptions) // CONFINED_RUNS_AT_ONCE)
    longest = timedelta(seconds=rounds * settings.BOT_EXECUTION_TIMEOUT)
    ends_at = min(now + longest, max(now, stale_at(timeframe, closed_at)))
    Cycle.objects.bulk_create(
        [
            Cycle(
                subscription=subscription,
                candle_opened_at=opened_at,
                candle_closed_at=closed_at,
                claim=token,
                started_at=now,
                lease_until=ends_at + timedelta(seconds=LEASE_MARGIN_SECONDS),
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
        running: dict[Future[Decision], Cycle] = {}
        for cycle in cycles:
            with _trouble_of(cycle):
                if timezone.now() >= view.stale_at:
                    close_without_decision(cycle, SkipReason.STALE_CANDLE, TOO_LATE)
                else:
                    running[_start(pool, cycle, view, read_code)] = cycle
        for future in as_completed(running):
            with _trouble_of(running[future]):
                finish(cycle=running[future], decision=future.result(), view=view)


def finish(*, cycle: Cycle, decision: Decision, view: MarketView) -> Cycle:
    """Act on the decision: place the order it asks for, then write the whole cycle down.

    Does nothing when the cycle is no longer this worker's.
    """
    if not Cycle.objects.claimed_by(cycle).exists():
        return cycle
    _describe(cycle, decision)
    cycle.price = view.ticker.last
    if decision.signal.action != Action.HOLD:
        if timezone.now() < view.stale_at:
            paper = PaperGateway(view.market.trading_pair, view.market.rules, view.ticker)
            order = place_order(cycle=cycle, signal=decision.signal, gateway=paper)
            cycle.message = order.message or cycle.message
        else:
            cycle.skip, cycle.message = SkipReason.STALE_CANDLE, TOO_LATE
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


@contextmanager
def _trouble_of(cycle: Cycle) -> Iterator[None]:
    """Keep an error of ours to its one cycle; a cycle that cannot be written is swept later."""
    try:
        yield
    except Exception:
        logger.exception("Cycle %s failed", cycle.pk)
        connection.close_if_unusable_or_obsolete()
        try:
            # from the row as it stands: what could not be written is left behind
            row = Cycle.objects.get(pk=cycle.pk)
            close_without_decision(row, SkipReason.PLATFORM_ERROR, OUR_FAULT)
        except DatabaseError:
            logger.exception("Cycle %s could not be closed", cycle.pk)


def _start(
    pool: ThreadPoolExecutor, cycle: Cycle, view: MarketView, read_code: Callable[[BotVersion], str]
) -> Future[Decision]:
    """Have a thread of the pool decide; it reads nothing from the database.

    Without the bot's code nothing runs, and only a stop can still act.
    """
    subscription = cycle.subscription
    account: dict[str, Any] = {
        "view": view,
        "holding": position_of(subscription).holding,
        "allocated_capital": subscription.allocated_capital,
    }
    try:
        code = read_code(subscription.version)
    except ArtifactError as error:
        run = Run(Verdict.UNAVAILABLE, message=str(error))
        return pool.submit(conclude, run, subscription.config, **account)
    config = subscription.config
    return pool.submit(execute_full_cycle, view.timeframe, config, code=code, **account)


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
        logger.error("Cycle %s had no run: %s", cycle.pk, run.message)
        cycle.skip = SkipReason.PLATFORM_ERROR if signal.skip else ""


def _close(cycle: Cycle) -> Cycle:
    """Write the cycle's end, unless it is no longer this worker's."""
    cycle.state = Cycle.State.DONE
    cycle.finished_at = timezone.now()
    Cycle.objects.claimed_by(cycle).update(**{name: getattr(cycle, name) for name in RESULT_FIELDS})
    return cycle
