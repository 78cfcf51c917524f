"""One confined run for all cycles that ask the same.

What a bot answers depends on its inputs, which the receipt names, and on the account only if it asks. So the
first run for some inputs is shared: it is told nothing about any account. If it asks, it is ended, and each
cycle gets a run of its own, which is told about its own account.
"""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from bot_sdk.account import snapshot_of
from bot_sdk.bot import Snapshot
from bot_sdk.timeframes import duration
from bots.errors import ArtifactError
from bots.models import BotVersion
from execution import strikes
from execution.cycle import MarketView, limits
from execution.loading import Package, load
from execution.models import Cycle
from execution.sandbox import AccountNeeded, Job, Receipt, Run, Verdict, receipt_of
from execution.sandbox import run as run_confined
from execution.sandbox import run_batch as run_batch_confined
from execution.turns import Asking, Turns

# more than there are cores, so that bots that merely wait do not hold up the others
CONFINED_RUNS_AT_ONCE = 4 * (os.cpu_count() or 1)
SLOW_MEMORY = 60  # candles
ROUND_SECONDS = 0.2  # what ends within it is written together

logger = logging.getLogger(__name__)

# How it ended: None when the candle was too old, AccountNeeded when it cannot be shared.
Ended = tuple[Asking, Run | AccountNeeded | None]


@dataclass(frozen=True, slots=True)
class Decided:
    """Cycles with the one run that decided them.

    `run` is None when there was none: the bot may not run, the candle was too old (`is_late`), or
    `gap` says which candles are missing.
    """

    cycles: list[Cycle]
    run: Run | None
    receipt: Receipt | None = None
    is_shared: bool = False
    is_late: bool = False
    gap: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as a message can carry it: cycles by their ids."""
        return {
            "cycles": [cycle.pk for cycle in self.cycles],
            "run": self.run and self.run.to_dict(),
            "receipt": self.receipt and asdict(self.receipt),
            "is_shared": self.is_shared,
            "is_late": self.is_late,
            "gap": self.gap,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], cycles: Mapping[int, Cycle]) -> "Decided":
        """Return what `to_dict` was made of, with those of its cycles that are in `cycles`."""
        return cls(
            cycles=[cycles[pk] for pk in raw["cycles"] if pk in cycles],
            run=raw["run"] and Run.from_dict(raw["run"]),
            receipt=raw["receipt"] and Receipt(**raw["receipt"]),
            is_shared=raw["is_shared"],
            is_late=raw["is_late"],
            gap=raw["gap"],
        )


def decide_each(view: MarketView, cycles: list[Cycle]) -> Iterator[list[Decided]]:
    """Run what the cycles' bots have to be asked, a few at once, and yield what has ended meanwhile.

    The cycles come with subscription, version, market and position. Nothing is written but strikes.
    """
    if view.gap:
        yield [Decided(cycles, run=None, gap=view.gap)]
        return
    turns = Turns()
    with ThreadPoolExecutor(CONFINED_RUNS_AT_ONCE) as pool:
        running: set[Future[Ended]] = set()

        def start(job: Job, asking: list[Cycle], *, is_suspect: bool = False) -> None:
            turns.add((job, asking), is_suspect=is_suspect)
            running.add(pool.submit(_take_turn, view, turns))

        jobs, ended = _sorted_by_inputs(view, cycles)
        if settings.BOT_BATCHES:
            answered, jobs = _answered_in_batches(view, jobs, pool)
            ended += answered
        slow = _slow_subscriptions(view, cycles)
        # the pool takes up the first ones before the others are there
        for job, asking in sorted(jobs, key=lambda each: _rank(each[1], slow)):
            start(job, asking, is_suspect=_is_suspect(asking, slow))
        yield ended
        while running:
            done, running = wait(running, timeout=ROUND_SECONDS)
            ended = []
            for (job, asking), run in (future.result() for future in done):
                if isinstance(run, AccountNeeded):
                    for cycle in asking:
                        start(_for_one(job, view, cycle), [cycle])
                    continue
                if run is not None:
                    _count_strikes(asking, run)
                ended.append(
                    Decided(asking, run, receipt_of(job, view.candles), len(asking) > 1, is_late=run is None)
                )
            if ended:
                yield ended


def job_of(view: MarketView, package: Package, config: Mapping[str, Any]) -> Job:
    """Return the question to a bot that many may share; `config` is what it gets as `subscription_config`."""
    code, models = package
    return Job(
        code=code,
        frame=view.frame,
        timeframe=view.timeframe,
        config=config["strategy_config"],
        subscription_config=config,
        snapshot=Snapshot(float(view.ticker.last), candles=view.newest_candles),
        models=models,
        is_shared=True,
    )


def _take_turn(view: MarketView, turns: Turns) -> Ended:
    with turns.next() as (asking, is_suspect):
        job, _ = asking
        try:
            run = _run(view, job, is_suspect=is_suspect)
        except AccountNeeded as needed:
            return asking, needed
        except Exception:  # ours: it ends these cycles and no other
            logger.exception("A run failed on our side")
            run = Run(Verdict.UNAVAILABLE, message="Something failed on our side during the run.")
        if run is not None and run.verdict in strikes.COUNTED:
            turns.blame(asking)
        return asking, run


def _rank(asking: list[Cycle], slow: Container[int]) -> tuple[bool, bool]:
    """Suspects come last, and people before what the marketplace runs for its records alone."""
    is_nobodys = all(cycle.subscription.trader_id is None for cycle in asking)
    return _is_suspect(asking, slow), is_nobodys


def _is_suspect(asking: list[Cycle], slow: Container[int]) -> bool:
    return any(cycle.subscription_id in slow for cycle in asking)


def _count_strikes(asking: list[Cycle], run: Run) -> None:
    try:
        strikes.count([cycle.subscription for cycle in asking], run, asking[0].candle_closed_at)
    except DatabaseError:
        logger.exception("A strike could not be counted")
        connection.close_if_unusable_or_obsolete()


def _answered_in_batches(
    view: MarketView, jobs: list[Asking], pool: ThreadPoolExecutor
) -> tuple[list[Decided], list[Asking]]:
    """Ask stateless versions for all their settings at a time; return what was answered, and what is left."""
    batches: dict[int, list[Asking]] = defaultdict(list)
    left: list[Asking] = []
    for asking in jobs:
        version = asking[1][0].subscription.version
        (batches[version.pk] if version.is_stateless else left).append(asking)
    answered = []
    asked = list(batches.values())
    for batch, runs in zip(asked, pool.map(lambda batch: _run_batch(view, batch), asked), strict=True):
        for (job, cycles), run in zip(batch, runs, strict=True):
            if run is None:
                left.append((job, cycles))
            else:
                answered.append(Decided(cycles, run, receipt_of(job, view.candles), len(cycles) > 1))
    return answered, left


def _run_batch(view: MarketView, batch: list[Asking]) -> list[Run | None]:
    seconds_left = (view.stale_at - timezone.now()).total_seconds()
    if len(batch) == 1 or seconds_left <= 0:
        return [None] * len(batch)
    return run_batch_confined(
        [job for job, _ in batch], limits(seconds_left / 2)
    )  # the rest is for runs alone


def _sorted_by_inputs(view: MarketView, cycles: list[Cycle]) -> tuple[list[Asking], list[Decided]]:
    """Return one job per distinct inputs with its cycles, and the cycles that no bot has to be asked for."""
    read_package = _package_reader()
    jobs: dict[tuple[int, str], Asking] = {}
    unasked: list[Cycle] = []
    unreadable: dict[str, list[Cycle]] = defaultdict(list)
    for cycle in cycles:
        version = cycle.subscription.version
        if not cycle.subscription.is_asked:
            unasked.append(cycle)
            continue
        package = read_package(version)
        if isinstance(package, ArtifactError):
            unreadable[str(package)].append(cycle)
            continue
        inputs = version.pk, json.dumps(cycle.subscription.config, sort_keys=True)
        if inputs not in jobs:
            jobs[inputs] = job_of(view, package, cycle.subscription.config), []
        jobs[inputs][1].append(cycle)
    idle = [Decided(those, Run(Verdict.UNAVAILABLE, message=why)) for why, those in unreadable.items()]
    if unasked:
        idle.append(Decided(unasked, None))
    return list(jobs.values()), idle


def _slow_subscriptions(view: MarketView, cycles: list[Cycle]) -> set[int]:
    """Return who was out of time lately, and waits for all others: bots that hang hold up each other only."""
    return Cycle.objects.slow_subscriptions(cycles, view.opened_at - SLOW_MEMORY * duration(view.timeframe))


def _package_reader() -> Callable[[BotVersion], Package | ArtifactError]:
    """Return what reads each version's files once."""
    known: dict[int, Package | ArtifactError] = {}

    def read(version: BotVersion) -> Package | ArtifactError:
        if version.pk not in known:
            try:
                known[version.pk] = load(version)
            except ArtifactError as error:
                known[version.pk] = error
        return known[version.pk]

    return read


def _for_one(job: Job, view: MarketView, cycle: Cycle) -> Job:
    holding = cycle.subscription.position.holding
    snapshot = snapshot_of(holding, view.ticker.last, view.market.trading_pair, view.newest_candles)
    return replace(job, snapshot=snapshot, is_shared=False)


def _run(view: MarketView, job: Job, *, is_suspect: bool) -> Run | None:
    """Run the job unless the candle has become too old meanwhile; reads nothing from the database."""
    seconds_left = (view.stale_at - timezone.now()).total_seconds()
    if seconds_left <= 0:
        return None
    return run_confined(job, replace(limits(seconds_left), is_suspect=is_suspect))
