"""Put a submitted version through the checks of `bot_sdk.gate_steps`, one after the other, on a worker.

What a check finds is written once, when it is done, together with what follows from it; whoever goes on after
a worker that was killed begins with the first check that is not done. A check that fails ends the rest. What
goes wrong on our side, bots that cannot be confined or storage that is down, is never a verdict: the version
waits and is checked later.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from bot_sdk.gate_steps import GATE_STEPS
from bot_sdk.runner import RunUnavailable
from bots import drafting
from bots.errors import ArtifactError
from bots.models import BotVersion, GateRun, GateStep
from exchanges.gateways import shared_redis
from execution import sandbox
from execution.alarms import Trouble, alarm
from execution.gate_steps import Candidate, Found, take

logger = logging.getLogger(__name__)

SILENCE = timedelta(minutes=5)  # of its worker, after which a gate counts as lost; a single run takes less
SIGN_EVERY = timedelta(seconds=1)
MOST_ATTEMPTS = 3  # workers that are lost over one version before a person has to look
TOLD_SECONDS = 300  # before the workers are told again of one that waits
UNTAKEN = timedelta(minutes=30)  # that a gate waits before the operator is asked for a worker
SHOWN = 10  # versions in one message to the operator
LATER = "The checks stopped for a reason on our side, which is not the bot. They go on by themselves."
STANDS = "The checks stopped again and again. We were told, and look at it; nothing is needed from you."
PASSED = "All checks are passed."
PASSED_ON = f"{PASSED} A person looks at it next."
LEFT = "The version was taken back."
# one that is published already was brought by the operator
_CHECKED = (BotVersion.State.CHECKING, BotVersion.State.PUBLISHED)
_OPEN = (GateStep.State.WAITING, GateStep.State.RUNNING)


class _Over(Exception):
    """The gate is another worker's, or its version is not to be checked any more."""


def run(gate_id: int) -> None:
    """Do the checks of one gate that waits; nothing when another worker has it, or when it was canceled."""
    claim, now = uuid.uuid4(), timezone.now()
    waiting = GateRun.objects.filter(pk=gate_id, state=GateRun.State.WAITING, attempts__lt=MOST_ATTEMPTS)
    if not waiting.update(
        state=GateRun.State.RUNNING,
        claim=claim,
        attempts=F("attempts") + 1,
        seen_at=now,
        started_at=Coalesce("started_at", now),
        message="",
    ):
        return
    desk = _Desk(GateRun.objects.select_related("version__bot__developer").get(pk=gate_id))
    try:
        _run(desk)
    except _Over:
        desk.leave()
    except (ArtifactError, RunUnavailable) as error:
        alarm(Trouble.GATE_STANDS_STILL, f"{desk.gate.version} cannot be checked now: {error}")
        # where bots can be confined all the same, it may be this one's doing
        desk.put_off(counts=isinstance(error, RunUnavailable) and _is_sandbox_up())
    except Exception:
        logger.exception("The checks of %s failed on our side", desk.gate.version)
        desk.put_off(counts=True)


def begin_again(*, run: GateRun) -> None:
    """Have the checks of a version go on that were left to the operator."""
    GateRun.objects.filter(pk=run.pk, state=GateRun.State.WAITING).update(attempts=0, message=LATER)
    drafting.enqueue(run)


def sweep(at: datetime) -> None:
    """Have gates that lost their worker go on, and tell the workers again of those that wait.

    One that has lost its worker too often is left to the operator, who is told: a bot that brings its worker
    down does so a few times and no more.
    """
    lost = GateRun.objects.filter(state=GateRun.State.RUNNING, seen_at__lt=at - SILENCE)
    GateStep.objects.filter(gate__in=lost, state=GateStep.State.RUNNING).update(state=GateStep.State.WAITING)
    lost.update(state=GateRun.State.WAITING, claim=None, message=LATER)
    waiting = GateRun.objects.filter(state=GateRun.State.WAITING, created_at__lt=at - timedelta(minutes=1))
    standing = waiting.filter(attempts__gte=MOST_ATTEMPTS)
    if standing.update(message=STANDS):
        listed = ", ".join(str(each.version) for each in standing.select_related("version__bot")[:SHOWN])
        alarm(Trouble.GATE_STANDS_STILL, f"workers were lost {MOST_ATTEMPTS} times over {listed}.")
    if untaken := waiting.filter(seen_at=None, created_at__lt=at - UNTAKEN).count():
        alarm(Trouble.GATE_STANDS_STILL, f"{untaken} wait for checks. Does a worker run for the queue gates?")
    for gate in waiting.filter(attempts__lt=MOST_ATTEMPTS):
        # noted where the message lies, so that whatever loses one loses both
        if shared_redis().set(f"gate-told-of:{gate.pk}:{gate.attempts}", 1, nx=True, ex=TOLD_SECONDS):
            drafting.enqueue(gate)


def _run(desk: "_Desk") -> None:
    candidate = Candidate(desk.gate.version, sign=desk.sign)
    for step in desk.steps():
        if step.state in _OPEN:
            desk.begin(step)
            began_at = timezone.now()
            found = take(step.code, candidate)
            desk.write(step, found, seconds=(timezone.now() - began_at).total_seconds())
            if found.state == GateStep.State.FAILED:
                return
    desk.let_through()


def _is_sandbox_up() -> bool:
    try:
        sandbox.inspect(b"")
    except RunUnavailable:
        return False
    return True


class _Desk:
    """What the rows of a gate say while its worker is at it. Only the one that has claimed it writes.

    Rows are locked as withdrawing a version locks them, the version's first.
    """

    def __init__(self, gate: GateRun) -> None:
        self.gate = gate
        self._mine: QuerySet[GateRun] = GateRun.objects.filter(
            pk=gate.pk, claim=gate.claim, state=GateRun.State.RUNNING
        )
        self._signed_at = timezone.now()

    def steps(self) -> Sequence[GateStep]:
        """Return a row for each check, made when there are none yet."""
        rows = [GateStep(gate=self.gate, code=code, position=at) for at, code in enumerate(GATE_STEPS, 1)]
        GateStep.objects.bulk_create(rows, ignore_conflicts=True)
        return list(self.gate.steps.order_by("position"))

    def sign(self) -> None:
        """Say, now and then, that the worker is at it. Raises _Over when it is not to go on."""
        now = timezone.now()
        if now - self._signed_at >= SIGN_EVERY:
            self._signed_at = now
            if not self._mine.update(seen_at=now):
                raise _Over

    def begin(self, step: GateStep) -> None:
        """Show which check is under way."""
        with transaction.atomic():
            self._lock()
            self.gate.steps.filter(pk=step.pk).update(state=GateStep.State.RUNNING)
            self._mine.update(seen_at=timezone.now())

    def write(self, step: GateStep, found: Found, *, seconds: float) -> None:
        """Keep what a check has found, and what follows from it, all or nothing."""
        now = timezone.now()
        with transaction.atomic():
            self._lock()
            self.gate.steps.filter(pk=step.pk, state__in=_OPEN).update(
                state=found.state,
                sentence=found.sentence,
                evidence=list(found.evidence),
                seconds=round(seconds, 2),
                finished_at=now,
            )
            found.keep()
            if found.state == GateStep.State.FAILED:
                self.gate.steps.filter(state__in=_OPEN).update(state=GateStep.State.SKIPPED)
                self._finish(GateRun.State.FAILED, BotVersion.State.FAILED, found.sentence)

    def let_through(self) -> None:
        """Hand the version on to staff, unless it is published already."""
        is_published = self.gate.version.state == BotVersion.State.PUBLISHED
        with transaction.atomic():
            self._lock()
            message = PASSED if is_published else PASSED_ON
            self._finish(GateRun.State.PASSED, BotVersion.State.IN_REVIEW, message)

    def put_off(self, *, counts: bool) -> None:
        """Leave the rest for later. An attempt that `counts` is one of those that a version has."""
        attempts = self.gate.attempts if counts else 0
        with transaction.atomic():
            if self._mine.update(state=GateRun.State.WAITING, claim=None, attempts=attempts, message=LATER):
                self.gate.steps.filter(state=GateStep.State.RUNNING).update(state=GateStep.State.WAITING)

    def leave(self) -> None:
        """End the gate of a version that is not to be checked any more; that of another worker is its own."""
        with transaction.atomic():
            left = self._mine.exclude(version__state__in=_CHECKED)
            left.update(state=GateRun.State.CANCELED, finished_at=timezone.now(), claim=None, message=LEFT)
            if GateRun.objects.filter(pk=self.gate.pk, state=GateRun.State.CANCELED).exists():
                self.gate.steps.filter(state__in=_OPEN).update(state=GateStep.State.SKIPPED)

    def _lock(self) -> None:
        """Hold both rows to the end of the transaction. Raises _Over when they are not as they were."""
        versions = BotVersion.objects.filter(pk=self.gate.version_id, state__in=_CHECKED)
        if not versions.select_for_update().exists() or not self._mine.select_for_update().exists():
            raise _Over

    def _finish(self, state: GateRun.State, version: BotVersion.State, message: str) -> None:
        checking = BotVersion.objects.filter(pk=self.gate.version_id, state=BotVersion.State.CHECKING)
        checking.update(state=version)
        self._mine.update(state=state, finished_at=timezone.now(), claim=None, message=message)
