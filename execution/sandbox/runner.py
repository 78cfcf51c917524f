"""Run one job confined, from the question to the verdict."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bot_sdk.code_policy import Finding
from bot_sdk.model_files import ModelFile
from bot_sdk.process.inspection import INSPECTION_LIMITS, Inspection, findings_in
from bot_sdk.process.introduction import Introduction
from bot_sdk.process.job import Job, Limits, Run
from bot_sdk.process.preloads import Preload, needs
from bot_sdk.process.questions import AccountNeeded, Asks, Dialog, Interview
from bot_sdk.process.reply import Answer, Introduced
from bot_sdk.process.shaping import Shaping
from bot_sdk.process.verdicts import Verdict
from bot_sdk.text import printable
from execution.sandbox.batch import Batch
from execution.sandbox.confined import LONGEST_LOG, Ending
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.judgement import judge
from execution.sandbox.nursery import Nursery
from execution.sandbox.zygote import ZygoteGone

if TYPE_CHECKING:
    from bot_sdk.process.rehearsal import Rehearsal


def run_in(nursery: Nursery, job: Job, limits: Limits) -> Run:
    """Run the job's bot in a process of its own, behind the nursery's walls, and return how that ended.

    Never raises for what a bot does, and not for walls that cannot be put up either: that is the verdict
    UNAVAILABLE. Raises AccountNeeded when the job is shared and the bot asks about the account.
    """
    try:
        ending = _follow(nursery, lambda: Interview(job), limits, needs(job.code, job.models))
    except (SandboxUnavailable, OSError) as error:  # the latter when this process is out of files or memory
        return Run(Verdict.UNAVAILABLE, message=f"Bots cannot be confined: {error}")
    answer = judge(ending, limits)
    return Run(
        verdict=answer.verdict,
        action=answer.action,
        message=answer.message,
        log=_readable(ending),
        asked=ending.asked,
        seconds=ending.seconds,
        cpu_seconds=ending.cpu_seconds,
        peak_memory_mb=ending.peak_memory_mb,
    )


def run_batch_in(nursery: Nursery, batch: Batch, limits: Limits) -> list[Run | None]:
    """Run the jobs in turn in one process. None stands for what has to be run by itself to be judged.

    That is all but a valid action: whatever goes wrong for one may be another's doing.
    """
    first = batch.jobs[0]
    try:
        ending = _follow(nursery, lambda: Interview(batch), limits, needs(first.code, first.models))
    except (AccountNeeded, SandboxUnavailable, OSError):
        return [None] * len(batch.jobs)
    share = ending.seconds / len(batch.jobs), ending.cpu_seconds / len(batch.jobs)
    runs: list[Run | None] = [
        Run(Verdict.OK, answer.action, "", "", (), *share, ending.peak_memory_mb) if answer.action else None
        for answer in ending.answers
    ]
    return runs + [None] * (len(batch.jobs) - len(runs))


def rehearse_in(nursery: Nursery, rehearsal: "Rehearsal", limits: Limits) -> Run:
    """Run the rehearsal's bot in one process, behind the nursery's walls, and return how that ended.

    The verdict is OK when nothing kept it from answering to the end, or until it was stopped. Never raises
    for what a bot does; walls that cannot be put up are the verdict UNAVAILABLE.
    """
    try:
        ending = _follow(nursery, lambda: rehearsal, limits, needs(rehearsal.code, rehearsal.models))
    except (SandboxUnavailable, OSError) as error:
        return Run(Verdict.UNAVAILABLE, message=f"Bots cannot be confined: {error}")
    answer = rehearsal.conclude(judge(ending, limits))
    return Run(
        verdict=answer.verdict,
        message=answer.message,
        log=_readable(ending),
        seconds=ending.seconds,
        cpu_seconds=ending.cpu_seconds,
        peak_memory_mb=ending.peak_memory_mb,
    )


def inspect_in(nursery: Nursery, code: bytes) -> list[Finding]:
    """Return what the static policy finds in the code; that it could not be checked is a finding too.

    Raises SandboxUnavailable.
    """
    return findings_in(_answer(nursery, Inspection(code), INSPECTION_LIMITS))


def introduce_in(
    nursery: Nursery, code: str, models: Sequence[ModelFile], limits: Limits
) -> Introduced | str:
    """Return what bot the file holds; a text says why it holds none, or which model does not open.

    Raises SandboxUnavailable.
    """
    introduction = Introduction(code, tuple(models))
    answer = _answer(nursery, introduction, limits, needs(code, models))
    return answer.introduced or f"{answer.verdict}: {answer.message}"


def shape_in(nursery: Nursery, code: str) -> bytes:
    """Return the shape of the code, empty when it has none. Raises SandboxUnavailable."""
    return _answer(nursery, Shaping(code), INSPECTION_LIMITS).shape


def _answer(nursery: Nursery, job: Asks, limits: Limits, preload: Preload = ()) -> Answer:
    """Return what one job came to. Raises SandboxUnavailable for all that is no doing of the bot's."""
    try:
        answer = judge(_follow(nursery, lambda: Interview(job), limits, preload), limits)
    except OSError as error:  # this process is out of files or memory
        raise SandboxUnavailable(f"Bots cannot be confined: {error}") from error
    if answer.verdict == Verdict.UNAVAILABLE:
        raise SandboxUnavailable(answer.message)
    return answer


def _follow(nursery: Nursery, begin: Callable[[], Dialog], limits: Limits, preload: Preload) -> Ending:
    try:
        return _follow_once(nursery, begin(), limits, preload)
    except ZygoteGone:  # the bot's code was not read yet
        return _follow_once(nursery, begin(), limits, preload)


def _follow_once(nursery: Nursery, dialog: Dialog, limits: Limits, preload: Preload) -> Ending:
    with nursery.zygote(preload) as zygote, zygote.run(dialog, limits) as confined:
        return confined.follow()


def _readable(ending: Ending) -> str:
    lines = ending.log[:LONGEST_LOG].decode(errors="replace").splitlines()
    if len(ending.log) > LONGEST_LOG:
        lines.append(f"[cut at {LONGEST_LOG // 1024} KB]")
    return "\n".join(printable(line) for line in lines)
