"""How a run ended, in one word."""

from enum import StrEnum


class Verdict(StrEnum):
    """Every run has exactly one. All but OK and UNAVAILABLE are the bot's own doing."""

    OK = "OK"
    TIMED_OUT = "TIMED_OUT"  # wall clock or CPU time
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    FORBIDDEN = "FORBIDDEN"  # it tried what the jail refuses
    CRASHED = "CRASHED"  # the process ended without an answer
    FAILED = "FAILED"  # the bot's code raised
    BAD_REPLY = "BAD_REPLY"  # the answer is no valid action
    UNAVAILABLE = "UNAVAILABLE"  # ours: the jail did not start and the bot's code was not read
