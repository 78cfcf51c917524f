"""Turn what could be seen of a run into its one verdict."""

import signal

from bot_sdk.process.endings import ended_early, out_of_time, over_asked
from bot_sdk.process.job import MOST_THREADS, Limits
from bot_sdk.process.reply import Answer
from bot_sdk.process.verdicts import Verdict
from execution.sandbox.confined import Cause, Ending

# A process that the kernel stopped at a limit was last seen a little below it.
_NEAR_FRACTION = 0.75
_MEMORY_SIGNALS = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


def judge(ending: Ending, limits: Limits) -> Answer:
    """Return the verdict with its action or message. `limits` are those that the run was held to."""
    if ending.answers:
        return ending.answers[0]
    if ending.cause is not None:
        return _judge_cause(ending.cause, limits)
    if ending.exit_code is None:
        return Answer(Verdict.UNAVAILABLE, message="The zygote ended during the run; the bot may run again.")
    if ending.exit_code < 0:
        return _judge_signal(-ending.exit_code, ending, limits)
    if ending.unfinished:
        return Answer(Verdict.BAD_REPLY, message="The bot's process ended in the middle of its answer.")
    return ended_early(ending.exit_code)


def _judge_cause(cause: Cause, limits: Limits) -> Answer:
    match cause:
        case Cause.TIME:
            return out_of_time(limits)
        case Cause.MEMORY:
            return Answer(
                Verdict.OUT_OF_MEMORY, message=f"The bot used up its {limits.memory_mb} MB of memory."
            )
        case Cause.THREADS:
            return Answer(Verdict.FORBIDDEN, message=f"The bot had more than {MOST_THREADS} threads.")
        case Cause.QUESTIONS:
            return over_asked()


def _judge_signal(number: int, ending: Ending, limits: Limits) -> Answer:
    if number == signal.SIGKILL and ending.cpu_seconds >= _NEAR_FRACTION * limits.cpu_seconds:
        return Answer(
            Verdict.TIMED_OUT, message=f"The bot used up its {limits.cpu_seconds} seconds of CPU time."
        )
    if number in _MEMORY_SIGNALS and ending.grown_memory_mb >= _NEAR_FRACTION * limits.memory_mb:
        return Answer(
            Verdict.OUT_OF_MEMORY,
            message=f"The bot's process ended near its {limits.memory_mb} MB of memory.",
        )
    if number == signal.SIGKILL:  # no bot can send it
        return Answer(
            Verdict.UNAVAILABLE, message="The run was killed from outside, perhaps for want of memory."
        )
    if number == signal.SIGSYS:
        return Answer(
            Verdict.FORBIDDEN,
            message="The bot made a system call that no bot may make: for the network, other programs or "
            "processes, or a corner of the kernel.",
        )
    return ended_early(-number)
