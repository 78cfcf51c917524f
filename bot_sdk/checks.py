"""Checks on a bot before anybody trusts its figures, each by running it and comparing what it answers.

None looks at the bot's code. A bot that can tell that it is checked, and behaves, is held to that in
backtests too: they run it in the same way, and the strict one gives it nothing else to see. A history on
which it is never asked proves nothing: each check raises HistoryTooShort for one.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import NamedTuple

from bot_sdk.action import Action
from bot_sdk.backtest import summarize
from bot_sdk.code_policy import Finding
from bot_sdk.trials import SAMPLES, Answer, Recording, Subject, answer_of, decide_alone, record
from bot_sdk.variants import FUTURES, part, with_future

CUTS = 3  # places from which on the future is changed
NO_ANSWER = "no answer"


class HistoryTooShort(ValueError):
    """A history on which nothing can be checked; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    `code` names the check for good. When it has not passed, `failed_at` is the opening time of the first
    candle that shows it, with what was `expected` there and what `came`; else these are None. `place` names
    the market when there are several; `findings` are what reading the code has found, passed or not.
    """

    code: str
    passed: bool
    sentence: str
    failed_at: datetime | None = None
    expected: str | None = None
    came: str | None = None
    place: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class CostLimits:
    """The most that a decision in a process of its own may cost: 19 of 20 keep to each figure.

    `cpu_seconds` are user and system time, setting up included; `peak_memory_mb` is resident memory with
    the interpreter.
    """

    cpu_seconds: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What decisions cost, each in a process of its own, and `total_cpu_seconds` for all in one process.

    Units are those of `CostLimits`; `p95` is what 19 of 20 decisions do not exceed.
    """

    median_cpu_seconds: float
    p95_cpu_seconds: float
    total_cpu_seconds: float
    median_memory_mb: float
    p95_memory_mb: float


def determinism(subject: Subject) -> CheckResult:
    """Check that a second process, given the same, answers the same: action, value and reason."""
    code = "determinism"
    if broken := _broken_off(code, subject):
        return broken
    again = record(subject, subject.history, is_strict=True)
    differences = _differences(subject.recording, again, len(subject.history))
    return _judged(
        code,
        subject,
        differences,
        passed=f"Asked twice, the bot gave the same answers at all {_count(subject)} candles.",
        failed="Asked twice on the same candles, the bot gave different answers.",
    )


def look_ahead(subject: Subject) -> CheckResult:
    """Check that decisions do not change with the candles after them.

    What the bot answers when later candles are nowhere in its memory is compared with what it answers when
    they are: those that came, others in their place, and none. A bot that is not deterministic fails too.
    """
    code = "look_ahead"
    if broken := _broken_off(code, subject):
        return broken
    return _judged(
        code,
        subject,
        _differences_by_future(subject),
        passed=f"The bot's answers at {_count(subject)} candles did not change with the candles after them.",
        failed="The bot's answers change with candles that had not closed yet.",
    )


def statelessness(subject: Subject) -> CheckResult:
    """Check that a new process, which knows no earlier candle's run, decides as the backtest's does."""
    code = "statelessness"
    if broken := _broken_off(code, subject):
        return broken
    heard, runs = subject.recording.heard, subject.runs_alone
    differences = (
        _Difference(row, _told(answer_of(run)), _told(heard[row].answer))
        for row, run in runs.items()
        if not _is_same(answer_of(run), heard[row].answer)
    )
    return _judged(
        code,
        subject,
        differences,
        passed=f"At {len(runs)} candles, a new process decided as the one that had run since the first.",
        failed="The bot keeps something from candle to candle, which it has not got when it trades.",
    )


def warm_up(subject: Subject, candles: int) -> CheckResult:
    """Check that `candles` are enough: with more of them the action stays the same.

    Values and reasons may differ in their last digits, which indicators take long to settle. Raises
    HistoryTooShort when the history has no more candles than that before any decision.
    """
    code = "warm_up"
    if broken := _broken_off(code, subject):
        return broken
    candles = max(candles, 1)
    rows = subject.drawn([row for row in subject.recording.heard if row >= candles], SAMPLES)
    if not rows:
        raise HistoryTooShort(
            f"A warm-up of {candles} candles needs a longer history than {len(subject.history)} candles."
        )
    differences = []
    for row in rows:
        more, fewer = subject.recording.heard[row].answer, answer_of(decide_alone(subject, row, candles))
        if _action(more) != _action(fewer):
            differences.append(_Difference(row, _told(more), _told(fewer)))
    return _judged(
        code,
        subject,
        differences,
        passed=f"At {len(rows)} candles, the bot decided alike with {candles} candles and with more.",
        failed=f"With {candles} candles the bot decides otherwise than with more: it needs a longer warm-up.",
    )


def cost(subject: Subject, limits: CostLimits) -> CheckResult:
    """Check that decisions keep to the limits."""
    code = "cost"
    if broken := _broken_off(code, subject):
        return broken
    found = measure_cost(subject)
    over = [
        each
        for row, run in subject.runs_alone.items()
        for each in (
            _over(row, "CPU seconds", run.cpu_seconds, limits.cpu_seconds, found.p95_cpu_seconds),
            _over(row, "MB of memory", run.peak_memory_mb, limits.peak_memory_mb, found.p95_memory_mb),
        )
        if each is not None
    ]
    figures = (
        f"Half of the decisions took up to {found.median_cpu_seconds:.3f} CPU seconds and "
        f"{found.median_memory_mb:.0f} MB, 19 of 20 up to {found.p95_cpu_seconds:.3f} and "
        f"{found.p95_memory_mb:.0f}; all {_count(subject)} in one process took "
        f"{found.total_cpu_seconds:.2f} CPU seconds."
    )
    return _judged(code, subject, over, passed=figures, failed=f"Decisions cost too much. {figures}")


def reference_backtest(subject: Subject) -> CheckResult:
    """Check that the bot answers at every candle of its history; how well it trades there is not judged."""
    code = "reference_backtest"
    if broken := _broken_off(code, subject):
        return broken
    summary = summarize(subject.recording.trial)
    figures = (
        f"Over {summary.candles} candles: {summary.buys} buys, {summary.sells} sells, a return of "
        f"{summary.return_percent:+.2f} %. These figures are shown, not judged."
    )
    return judged_by_failures(code, subject, subject.recording, passed=figures)


def judged_by_failures(
    code: str, subject: Subject, recording: Recording, *, passed: str, place: str = ""
) -> CheckResult:
    """Return the result that the first candle gives at which the bot did not answer with an Action."""
    failures = (
        _Difference(row, "an Action", heard.answer)
        for row, heard in recording.heard.items()
        if isinstance(heard.answer, str)
    )
    where = f" on {place}" if place else ""
    failed = f"The bot gave no Action at a candle{where}."
    return replace(_judged(code, subject, failures, passed=passed, failed=failed), place=place)


def measure_cost(subject: Subject) -> Cost:
    """Return what the subject's decisions cost."""
    runs = subject.runs_alone.values()
    seconds, memory = [run.cpu_seconds for run in runs], [run.peak_memory_mb for run in runs]
    return Cost(
        median_cpu_seconds=median(seconds),
        p95_cpu_seconds=_p95(seconds),
        total_cpu_seconds=subject.recording.run.cpu_seconds,
        median_memory_mb=median(memory),
        p95_memory_mb=_p95(memory),
    )


class _Difference(NamedTuple):
    row: int
    expected: str
    came: str


def _judged(
    code: str, subject: Subject, differences: Iterable[_Difference], *, passed: str, failed: str
) -> CheckResult:
    """Return the check's result: the earliest of the differences, or that it has passed."""
    first = min(differences, key=lambda difference: difference.row, default=None)
    if first is None:
        return CheckResult(code, True, passed)
    return CheckResult(code, False, failed, subject.history.opened_at(first.row), first.expected, first.came)


def _broken_off(code: str, subject: Subject) -> CheckResult | None:
    """Say that a bot which does not answer to the end cannot be checked, and refuse to check without any."""
    recording = subject.recording
    if not recording.heard:
        raise HistoryTooShort("The bot is asked at no candle of this history: use one with fewer holes.")
    if recording.broke_off_at is None:
        return None
    row = recording.broke_off_at
    came = _Difference(row, "an answer at every candle", _told(recording.heard[row].answer))
    failed = "The bot did not answer to the end, so that this could not be checked."
    return _judged(code, subject, [came], passed="", failed=failed)


def _differences_by_future(subject: Subject) -> Iterator[_Difference]:
    history, truth = subject.history, subject.recording
    yield from _differences(truth, record(subject, history, is_strict=False), len(history))
    for cut in subject.drawn([row for row in truth.heard if row > history.first], CUTS):
        for changed in (part(history, 0, cut), *(with_future(history, cut, change) for change in FUTURES)):
            yield from _differences(truth, record(subject, changed, is_strict=False, until=cut), cut)


def _differences(expected: Recording, came: Recording, end: int) -> Iterator[_Difference]:
    """Yield where the two differ before the row `end`."""
    for row in sorted(row for row in expected.heard.keys() | came.heard.keys() if row < end):
        one, other = (each.heard.get(row) for each in (expected, came))
        if one is None or other is None or not _is_same(one.answer, other.answer):
            yield _Difference(row, *(_told(each.answer) if each else NO_ANSWER for each in (one, other)))


def _is_same(one: Answer, other: Answer) -> bool:
    """Tell whether two answers are worth the same; so are all ways to fail."""
    return one == other or (isinstance(one, str) and isinstance(other, str))


def _action(answer: Answer) -> str | None:
    return answer.action if isinstance(answer, Action) else None


def _told(answer: Answer) -> str:
    if isinstance(answer, str):
        return answer
    return f"{answer.action} at {answer.value!r}" + (f": {answer.reason}" if answer.reason else "")


def _over(row: int, unit: str, came: float, limit: float, p95: float) -> _Difference | None:
    if p95 <= limit or came <= limit:
        return None
    return _Difference(row, f"at most {limit:g} {unit}", f"{came:.3g} {unit}")


def _p95(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _count(subject: Subject) -> int:
    return len(subject.recording.heard)
