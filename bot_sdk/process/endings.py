"""What is said of a process that was stopped, or that ended without an answer."""

import signal

from bot_sdk.process.job import Limits
from bot_sdk.process.questions import MOST_QUESTIONS
from bot_sdk.process.reply import Answer
from bot_sdk.process.verdicts import Verdict


def out_of_time(limits: Limits) -> Answer:
    return Answer(Verdict.TIMED_OUT, message=f"The bot gave no answer within {limits.seconds:g} seconds.")


def over_asked() -> Answer:
    return Answer(Verdict.BAD_REPLY, message=f"The bot asked more than {MOST_QUESTIONS} questions.")


def ended_early(exit_code: int) -> Answer:
    """Return what the process came to by itself; `exit_code` is negative when a signal ended it."""
    if exit_code < 0:
        ending = f"was ended by {_signal_name(-exit_code)}"
    else:
        ending = f"ended without an answer, with status {exit_code}"
    return Answer(Verdict.CRASHED, message=f"The bot's process {ending}.")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
