"""One run, from the fork to its answer."""

import contextlib
import fcntl
import gc
import os
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn, TextIO

import numpy as np
import pandas as pd

from bot_sdk.process.frame import decode_frame, encode_frame
from bot_sdk.process.job_file import read_order
from bot_sdk.process.work import work

from . import doorman, landlock, lockdown, output
from .channel import Channel
from .options import Layer, Options
from .seccomp import Filter

_NOTHING, _LOG, _ERRORS, _CHANNEL, _JOB, _RULESET, _DOORMAN = range(7)
_ABOVE_ALL_OF_THEM = 100
_ABOVE_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class Walls:
    """What the zygote has prepared for its runs; None for what is left out.

    That is Landlock's ruleset, the door's filter with the doorman's socket, and the run's filter.
    """

    options: Options
    ruleset: int | None
    doorman: int | None
    door: Filter
    filter: Filter | None
    zygote: int  # process id


def begin(order: dict[str, Any], *, channel: int, log: int, job: int, walls: Walls) -> NoReturn:
    """Lock this process down, then run the job. `order` has the `limits` and the `uid` to change to.

    Raises what goes wrong while the walls go up, and what a bot has broken when its answer is to be sent.
    """
    _place(log, channel, job, walls)
    _put_up(walls, order)
    prints = output.send_prints_to(_LOG)
    questions = Channel(_CHANNEL)
    if not questions.may_begin():
        os._exit(0)
    _work(questions, prints)
    questions.wait_for_the_end()
    os._exit(0)


def warm_up() -> bytes:
    """Go through what every run does, so that nothing is loaded or set up for the first time in each.

    Returns a sample for `warm_copy`.
    """
    index = pd.date_range("2026-01-01", periods=64, freq="h", tz="UTC", name="opened_at")
    frame = pd.DataFrame(np.linspace(1.0, 2.0, 5 * 64).reshape(64, 5), index=index, columns=list("ohlcv"))
    closes = frame["c"]
    closes.rolling(5).mean()
    closes.ewm(span=5).mean()
    closes.diff().shift(1).fillna(0.0)
    frame[["o", "c"]].to_numpy() @ np.ones((2, 1))
    float(closes.iloc[-1])
    str(frame.tail(1))
    np.random.seed(0)
    sample = encode_frame(frame)
    warm_copy(sample)
    return sample


def warm_copy(sample: bytes) -> None:
    """Write to pages that most runs write to, so that they are no longer shared with the zygote's."""
    closes = decode_frame(sample)["c"]
    closes.rolling(5).mean()
    float(closes.iloc[-1])


def _place(log: int, channel: int, job: int, walls: Walls) -> None:
    """Give each descriptor the number that it has in every run, and close all others."""
    # Opened anew: flags that a bot sets on a description which others have too would reach them.
    wanted = {
        _NOTHING: os.open(os.devnull, os.O_RDONLY),
        _LOG: log,
        _ERRORS: log,
        _CHANNEL: channel,
        _JOB: job,
    }
    if walls.ruleset is not None:
        wanted[_RULESET] = walls.ruleset
    if walls.doorman is not None:
        wanted[_DOORMAN] = walls.doorman
    # First out of the way, since a number may be another's place.
    moved = {
        place: fcntl.fcntl(number, fcntl.F_DUPFD, _ABOVE_ALL_OF_THEM) for place, number in wanted.items()
    }
    for place, number in moved.items():
        os.dup2(number, place)
    for place, next_place in pairwise([*wanted, _ABOVE_ALL]):
        os.closerange(place + 1, next_place)


def _put_up(walls: Walls, order: dict[str, Any]) -> None:
    options = walls.options
    os.setpgid(0, 0)  # no signal to "its own group" reaches the zygote
    if Layer.LIMITS in options.layers:
        lockdown.limit(**order["limits"])
    if Layer.RIGHTS in options.layers:
        if options.has_capabilities:
            lockdown.drop_bounding_set()
        if options.changes_user:
            lockdown.become(order["uid"])
        lockdown.drop_capabilities()
    memory = lockdown.open_own_memory() if walls.doorman is not None else None
    lockdown.hide_memory()
    lockdown.die_with_zygote(None if options.has_namespaces else walls.zygote)
    if walls.ruleset is not None:
        landlock.apply(_RULESET)
        os.close(_RULESET)
    if memory is not None:
        doorman.introduce(_DOORMAN, listener=walls.door.apply_with_listener(), memory=memory)
    if walls.filter is not None:
        walls.filter.apply()


def _work(questions: Channel, prints: TextIO) -> None:
    """Read the job and say all that it asks for, each answer after what the bot printed before it."""

    def flush() -> None:
        with contextlib.suppress(ValueError):  # the bot has closed it
            prints.flush()

    def say(line: bytes) -> None:
        flush()
        questions.write(line)

    def say_soon(line: bytes) -> None:
        flush()
        questions.put(line)

    with os.fdopen(_JOB, "rb", buffering=0) as job:
        order = read_order(job)
    gc.enable()
    work(order, questions, say=say, say_soon=say_soon)
    questions.write(b"")
