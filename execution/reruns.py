"""Ask for a decision to be made once more: a replay of one, or another version's at the newest of them.

What runs them is in `replaying` and `comparing`, on workers only. Nothing that they find is traded on, and
nothing of it counts against a bot.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import kombu.exceptions
from celery import current_app
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from bot_sdk.process.verdicts import Verdict
from bot_sdk.timeframes import duration
from bots.models import Bot, BotVersion
from exchanges.gateways import shared_redis
from execution.errors import RerunError
from execution.models import Comparison, Cycle, CycleQuerySet, Replay, Rerun
from subscriptions import changing
from subscriptions.models import Subscription
from subscriptions.setting_words import Settings

logger = logging.getLogger(__name__)

TASKS: Mapping[type[Rerun], str] = {
    Replay: "execution.tasks.run_replay",
    Comparison: "execution.tasks.run_comparison",
}
KINDS: tuple[type[Replay] | type[Comparison], ...] = (Replay, Comparison)
MOST_UNFINISHED = 3  # of one person, both kinds together
MOST_PER_HOUR = 30
COMPARED_DECISIONS = 100  # the newest
COMPARED_CANDLES = 500  # in which they have to lie, so that a pause costs little
TOLD_SECONDS = 600  # before the workers are told again of one that waits

BUSY = "{most} of what you asked to be run again is not finished. Wait for it."
TOO_OFTEN = "You asked for {most} runs in an hour. Ask again later."
LOST = "Its worker stopped. Ask again."
NOTHING_TO_REPLAY = "The bot gave no answer in this cycle that could be run again."
NOTHING_TO_COMPARE = "This subscription has decided nothing lately."
PULLED = "{version} may not be run now: it is {state}."
BOT_STOPPED = "Staff have stopped this bot, and it is not run."


def can_be_replayed(cycle: Cycle) -> bool:
    """Whether a bot was run in the cycle, and its inputs kept."""
    ended = cycle.verdict not in ("", Verdict.UNAVAILABLE)
    return cycle.state == Cycle.State.DONE and ended and bool(cycle.receipt)


def ask_for_replay(*, cycle: Cycle, person: User) -> Replay:
    """Have the cycle's decision made again, and return the replay that waits for its worker.

    While one of the cycle is not finished that one is returned. Raises RerunError when there is nothing to
    run again, and when the person has asked too often.
    """
    if not can_be_replayed(cycle):
        raise RerunError(NOTHING_TO_REPLAY)
    with transaction.atomic():
        _take_turn(person)
        unfinished = Replay.objects.unfinished().filter(cycle=cycle).first()
        if unfinished is not None:
            return unfinished
        _check_has_room(person)
        replay = Replay.objects.create(cycle=cycle, asked_by=person)
        transaction.on_commit(lambda: enqueue(replay))
    return replay


def comparison_of(subscription: Subscription, version: BotVersion) -> Comparison | None:
    """Return what is known of the version beside the subscription's newest decisions, if it was asked for."""
    newest = decided(subscription).first()
    if newest is None:
        return None
    return Comparison.objects.filter(**_key(subscription, version, newest)).first()


def ask_for_comparison(*, subscription: Subscription, version: BotVersion, person: User) -> Comparison:
    """Have the version asked at the subscription's newest decisions, unless that is known or on its way.

    Raises RerunError when nothing was decided, and when the person has asked too often.
    """
    newest = decided(subscription).first()
    if newest is None:
        raise RerunError(NOTHING_TO_COMPARE)
    key = _key(subscription, version, newest)
    with transaction.atomic():
        _take_turn(person)
        known = Comparison.objects.filter(**key).first()
        if known is not None and known.state != Rerun.State.FAILED:
            return known
        _check_has_room(person)
        fresh: dict[str, Any] = {"asked_by": person, "asked_at": timezone.now(), "finished_at": None}
        fresh |= {"state": Rerun.State.WAITING, "message": ""}
        comparison, _ = Comparison.objects.update_or_create(**key, defaults=fresh)
        transaction.on_commit(lambda: enqueue(comparison))
    return comparison


def decided(subscription: Subscription) -> CycleQuerySet:
    """The cycles in which the subscription's bot has answered, the newest first."""
    return (
        Cycle.objects.of(subscription).filter(state=Cycle.State.DONE, verdict=Verdict.OK).exclude(action="")
    )


def compared(subscription: Subscription, until: datetime) -> CycleQuerySet:
    """Those of them that another version is held against, of which the newest opened at `until`."""
    since = until - (COMPARED_CANDLES - 1) * duration(subscription.timeframe)
    return decided(subscription).filter(candle_opened_at__range=(since, until))[:COMPARED_DECISIONS]


def refusal(version: BotVersion) -> str:
    """Return why the version's code is not run now, or "". Select its `bot` beforehand."""
    if not version.may_run:
        return PULLED.format(version=version, state=version.get_state_display().lower())
    return "" if version.bot.state in Bot.RUNNING else BOT_STOPPED


def claim[Row: Rerun](rows: QuerySet[Row], pk: int, seconds: float) -> Row | None:
    """Return the rerun when it waits and is this worker's now, for so many seconds; None otherwise."""
    token, lease_until = uuid.uuid4(), timezone.now() + timedelta(seconds=seconds)
    waiting = rows.filter(pk=pk, state=Rerun.State.WAITING)
    if not waiting.update(state=Rerun.State.RUNNING, claim=token, lease_until=lease_until):
        return None
    return rows.get(pk=pk)


def finish(rerun: Rerun, *, state: Rerun.State, **found: object) -> None:
    """Write what was found, unless the rerun was given up meanwhile."""
    mine = type(rerun)._default_manager.filter(pk=rerun.pk, claim=rerun.claim, state=Rerun.State.RUNNING)
    mine.update(state=state, finished_at=timezone.now(), claim=None, **found)


def enqueue(rerun: Rerun) -> None:
    """Tell the workers of one that waits. Without a broker they are told again by the next sweep."""
    try:
        current_app.send_task(TASKS[type(rerun)], args=[rerun.pk])
    except kombu.exceptions.OperationalError:
        logger.warning("%s waits until the broker is back", rerun)


def sweep(at: datetime) -> None:
    """End what lost its worker, and tell the workers again of what has been waiting for a while."""
    for kind in KINDS:
        kind.objects.lost(at).update(state=Rerun.State.FAILED, finished_at=at, claim=None, message=LOST)
        for rerun in kind.objects.filter(state=Rerun.State.WAITING, asked_at__lt=at - timedelta(minutes=1)):
            told_of = f"{kind.__name__}-told-of:{rerun.pk}"
            if shared_redis().set(told_of, 1, nx=True, ex=TOLD_SECONDS):
                enqueue(rerun)


def config_after(subscription: Subscription, settings: Settings) -> dict[str, Any]:
    """Return what a bot would be given as `subscription_config` with these settings."""
    return subscription.config_with(
        strategy_config=settings.strategy_config,
        execution_config=settings.execution_config,
        risk_config=settings.risk_config,
    )


def settings_hash(subscription: Subscription, version: BotVersion) -> str:
    """Return a hash over what the version would be given, and have to trade with, once it has taken over."""
    config = config_after(subscription, changing.moved(subscription, version))
    given = [config, f"{subscription.allocated_capital.normalize():f}"]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _key(subscription: Subscription, version: BotVersion, newest: Cycle) -> dict[str, Any]:
    return {
        "subscription": subscription,
        "version": version,
        "settings": settings_hash(subscription, version),
        "newest_candle_at": newest.candle_opened_at,
    }


def _take_turn(person: User) -> None:
    """Have whatever else the person asks for wait until this transaction ends."""
    User.objects.select_for_update().get(pk=person.pk)


def _check_has_room(person: User) -> None:
    since = timezone.now() - timedelta(hours=1)
    mine = [kind.objects.filter(asked_by=person) for kind in KINDS]
    if sum(rows.unfinished().count() for rows in mine) >= MOST_UNFINISHED:
        raise RerunError(BUSY.format(most=MOST_UNFINISHED))
    if sum(rows.filter(asked_at__gte=since).count() for rows in mine) >= MOST_PER_HOUR:
        raise RerunError(TOO_OFTEN.format(most=MOST_PER_HOUR))
