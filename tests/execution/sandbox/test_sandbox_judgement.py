import signal

import pytest

from execution.sandbox import Limits, Verdict
from execution.sandbox.jail import Ending
from execution.sandbox.judgement import judge
from execution.sandbox.process import Usage

LIMITS = Limits(seconds=20, memory_mb=100, cpu_percent=50)


def make_ending(
    *,
    killed_by: int | None = None,
    exit_code: int | None = None,
    reply: bytes = b"",
    cpu_seconds: float = 0,
    grown_mb: float = 0,
    is_over_memory: bool = False,
) -> Ending:
    return Ending(
        reply=reply,
        is_answered=False,
        is_over_memory=is_over_memory,
        exit_code=exit_code if killed_by is None else 128 + killed_by,
        log=b"",
        seconds=1.0,
        before=Usage(cpu_seconds=2.0, peak_memory_mb=70.0),
        after=Usage(cpu_seconds=2.0 + cpu_seconds, peak_memory_mb=70.0 + grown_mb),
    )


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (make_ending(), Verdict.TIMED_OUT),
        (make_ending(reply=b"half"), Verdict.TIMED_OUT),
        (make_ending(is_over_memory=True), Verdict.OUT_OF_MEMORY),
        (make_ending(exit_code=0), Verdict.CRASHED),
        (make_ending(exit_code=0, reply=b"half"), Verdict.BAD_REPLY),
        (make_ending(killed_by=signal.SIGXCPU), Verdict.TIMED_OUT),
        (make_ending(killed_by=signal.SIGKILL, cpu_seconds=8), Verdict.TIMED_OUT),
        (make_ending(killed_by=signal.SIGKILL, cpu_seconds=1), Verdict.CRASHED),
        (make_ending(killed_by=signal.SIGKILL, grown_mb=80), Verdict.OUT_OF_MEMORY),
        (make_ending(killed_by=signal.SIGABRT, grown_mb=80), Verdict.OUT_OF_MEMORY),
        (make_ending(killed_by=signal.SIGABRT, grown_mb=20), Verdict.CRASHED),
        (make_ending(killed_by=signal.SIGSYS), Verdict.FORBIDDEN),
        (make_ending(killed_by=signal.SIGUSR1), Verdict.CRASHED),
        (make_ending(killed_by=99), Verdict.CRASHED),
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
