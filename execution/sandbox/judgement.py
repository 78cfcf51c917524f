"""Turn what could be seen of a run into its one verdict."""

import signal

from execution.sandbox.jail import Ending
from execution.sandbox.job import Limits
from execution.sandbox.reply import Answer, parse_reply
from execution.sandbox.verdicts import Verdict

_SIGNAL_BASE = 128  # added by bubblewrap, as shells do
# A process that the kernel stopped at a limit was last sampled a little below it.
_NEAR_FRACTION = 0.75
_MEMORY_SIGNALS = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


def judge(ending: Ending, limits: Limits) -> Answer:
    """Return the verdict with its action or message. `limits` are those that the run was held to."""
    if ending.is_answered:
        return parse_reply(ending.reply)
    if ending.is_over_memory:
        return _out_of_memory(limits)
    if ending.exit_code is None:
        return Answer(Verdict.TIMED_OUT, message=f"The bot gave no answer within {limits.seconds:g} seconds.")
    if ending.exit_code > _SIGNAL_BASE:
        return _judge_signal(ending.exit_code - _SIGNAL_BASE, ending, limits)
    if ending.reply:
        return Answer(Verdict.BAD_REPLY, message="The bot's process ended in the middle of its answer.")
    return Answer(
        Verdict.CRASHED, message=f"The bot's process ended without an answer, with status {ending.exit_code}."
    )


def _judge_signal(number: int, ending: Ending, limits: Limits) -> Answer:
    cpu_seconds = ending.after.cpu_seconds - ending.before.cpu_seconds
    grown_mb = ending.after.peak_memory_mb - ending.before.peak_memory_mb
    if number == signal.SIGXCPU or (
        number == signal.SIGKILL and cpu_seconds >= _NEAR_FRACTION * limits.cpu_seconds
    ):
        return Answer(
            Verdict.TIMED_OUT, message=f"The bot used up its {limits.cpu_seconds} seconds of CPU time."
        )
    if number in _MEMORY_SIGNALS and grown_mb >= _NEAR_FRACTION * limits.memory_mb:
        return Answer(
            Verdict.OUT_OF_MEMORY,
            message=f"The bot's process ended near its {limits.memory_mb} MB of memory.",
        )
    if number == signal.SIGSYS:
        return Answer(Verdict.FORBIDDEN, message="The bot made a system call of another machine.")
    return Answer(Verdict.CRASHED, message=f"The bot's process was ended by {_signal_name(number)}.")


def _out_of_memory(limits: Limits) -> Answer:
    return Answer(Verdict.OUT_OF_MEMORY, message=f"The bot used up its {limits.memory_mb} MB of memory.")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
