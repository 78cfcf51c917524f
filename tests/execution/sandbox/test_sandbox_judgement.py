import signal
from typing import Any

import pytest

from execution.sandbox import Limits, Verdict
from execution.sandbox.confined import Cause, Ending
from execution.sandbox.judgement import judge

LIMITS = Limits(seconds=20, memory_mb=100, cpu_percent=50)


def make_ending(**overrides: Any) -> Ending:
    values: dict[str, Any] = {
        "answers": (),
        "unfinished": False,
        "cause": None,
        "exit_code": 0,
        "log": b"",
        "asked": (),
        "seconds": 1.0,
        "cpu_seconds": 0.0,
        "peak_memory_mb": 70.0,
        "grown_memory_mb": 0.0,
    }
    return Ending(**values | overrides)


def killed_by(number: int, **overrides: Any) -> Ending:
    return make_ending(exit_code=-number, **overrides)


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (make_ending(cause=Cause.TIME, exit_code=-9), Verdict.TIMED_OUT),
        (make_ending(cause=Cause.TIME, exit_code=-9, unfinished=True), Verdict.TIMED_OUT),
        (make_ending(cause=Cause.MEMORY, exit_code=-9), Verdict.OUT_OF_MEMORY),
        (make_ending(cause=Cause.THREADS, exit_code=-9), Verdict.FORBIDDEN),
        (make_ending(cause=Cause.QUESTIONS, exit_code=-9), Verdict.BAD_REPLY),
        (make_ending(exit_code=None), Verdict.UNAVAILABLE),
        (make_ending(), Verdict.CRASHED),
        (make_ending(unfinished=True), Verdict.BAD_REPLY),
        (killed_by(signal.SIGKILL, cpu_seconds=8.0), Verdict.TIMED_OUT),
        (killed_by(signal.SIGKILL, cpu_seconds=1.0), Verdict.UNAVAILABLE),
        (killed_by(signal.SIGKILL, grown_memory_mb=80.0), Verdict.OUT_OF_MEMORY),
        (killed_by(signal.SIGABRT, grown_memory_mb=80.0), Verdict.OUT_OF_MEMORY),
        (killed_by(signal.SIGABRT, grown_memory_mb=20.0), Verdict.CRASHED),
        (killed_by(signal.SIGSYS), Verdict.FORBIDDEN),
        (killed_by(signal.SIGUSR1), Verdict.CRASHED),
        (killed_by(99), Verdict.CRASHED),
    ],
)
def test_how_a_process_ended_tells_the_verdict(ending: Ending, verdict: Verdict) -> None:
    answer = judge(ending, LIMITS)

    assert (answer.verdict, answer.action) == (verdict, None)
    assert answer.message


@pytest.mark.parametrize(("seconds", "percent", "cpu_seconds"), [(300, 50, 150), (0.5, 50, 1), (5, 50, 3)])
def test_cpu_seconds_are_a_share_of_the_time_and_at_least_one(
    seconds: float, percent: int, cpu_seconds: int
) -> None:
    assert Limits(seconds, memory_mb=64, cpu_percent=percent).cpu_seconds == cpu_seconds
