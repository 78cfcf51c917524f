"""All that is due when a candle closes, market by market.

A tick names the candle that closed; the database says which active subscriptions have no cycle for it yet.
Each market is viewed once for all of them. A unique (subscription, candle) and a claim per cycle make
doubled, late and repeated ticks harmless.
"""

import itertools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from bot_sdk.timeframes import duration
from execution import bulk
from execution.concluding import HandOn, conclude_all
from execution.cycle import MarketView
from execution.deciding import CONFINED_RUNS_AT_ONCE, Decided, decide_each
from execution.freshness import stale_at
from execution.models import Cycle
from execution.orders import read_positions
from execution.settling import settle_on_paper
from subscriptions.models import Subscription, SubscriptionQuerySet

LEASE_MARGIN_SECONDS = 120  # beyond the bots' own time: starting jails, risk, orders, writing
BATCH = 100  # cycles that travel, and are written, together


def due(timeframe: str, opened_at: datetime) -> SubscriptionQuerySet:
    """Active subscriptions of this timeframe that have no cycle for the candle opened at `opened_at`."""
    decided = Cycle.objects.filter(candle_opened_at=opened_at).values("subscription_id")
    return Subscription.objects.active().filter(timeframe=timeframe).exclude(pk__in=decided)


def due_markets(timeframe: str, opened_at: datetime) -> list[int]:
    """Return the markets on which something is due; those where most people's are come first."""
    markets = due(timeframe, opened_at).order_by().values("market").annotate(people=Count("trader"))
    return [row["market"] for row in markets.order_by("-people", "market")]


def claim(subscriptions: Iterable[Subscription], timeframe: str, opened_at: datetime) -> list[Cycle]:
    """Create a RUNNING cycle for each subscription that has none and return those that are ours."""
    subscriptions = list(subscriptions)
    token, now, closed_at = uuid.uuid4(), timezone.now(), opened_at + duration(timeframe)
    read_positions(subscriptions)
    rounds = -(-len(subscriptions) // CONFINED_RUNS_AT_ONCE)
    longest = timedelta(seconds=rounds * settings.BOT_EXECUTION_TIMEOUT)
    ends_at = min(now + longest, max(now, stale_at(timeframe, closed_at)))
    lease_until = ends_at + timedelta(seconds=LEASE_MARGIN_SECONDS)
    cycles = [
        Cycle(
            subscription=subscription,
            candle_opened_at=opened_at,
            candle_closed_at=closed_at,
            claim=token,
            started_at=now,
            revision=subscription.revision,
            lease_until=lease_until,
        )
        for subscription in subscriptions
    ]
    return bulk.insert(cycles, apart="subscription")


def decide_all(view: MarketView, cycles: list[Cycle], hand_on: HandOn = conclude_all) -> None:
    """Decide the cycles and hand the decisions on, in batches, as their runs end.

    The cycles come with subscription, version, bot and market.
    """
    for ended in decide_each(view, cycles):
        for batch in batches(ended):
            hand_on(view.moment, batch)


def batches(ended: list[Decided]) -> Iterator[list[Decided]]:
    """Cut decisions into batches of at most BATCH cycles; those of one run may come in several."""
    batch: list[Decided] = []
    room = BATCH
    for decided in ended:
        for cycles in itertools.batched(decided.cycles, BATCH):
            if len(cycles) > room:
                yield batch
                batch, room = [], BATCH
            batch.append(replace(decided, cycles=list(cycles)))
            room -= len(cycles)
    if batch:
        yield batch


def sweep(at: datetime) -> int:
    """Mark cycles whose worker died as interrupted and settle their orders; return how many."""
    message = "The worker stopped during this cycle. The next candle is decided as usual."
    swept = Cycle.objects.lost(at).update(state=Cycle.State.INTERRUPTED, finished_at=at, message=message)
    settle_on_paper(at)
    return swept
