"""One run, from the fork to its answer."""

import contextlib
import fcntl
import gc
import os
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from bot_sdk.process.job_file import read_order
from bot_sdk.process.work import work

from . import doorman, landlock, lockdown, output
from .channel import Channel
from .options import Layer, Options
from .seccomp import Filter

_NOTHING, _LOG, _ERRORS, _CHANNEL, _JOB = range(5)
_ABOVE_ALL_OF_THEM = 100
_ABOVE_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class Walls:
    """What the zygote has prepared for its runs; None for what is left out.

    That is Landlock's ruleset, the door's filter with the doorman's socket, the filter against processes,
    and the run's filter.
    """

    options: Options
    ruleset: int | None
    doorman: int | None
    door: Filter
    processes: Filter | None
    filter: Filter | None
    zygote: int  # process id


def prepare(walls: Walls) -> None:
    """Put this process behind the walls that are the same for all runs. Raises what goes wrong."""
    os.setpgid(0, 0)  # no signal to "its own group" reaches the zygote
    if Layer.LIMITS in walls.options.layers:
        lockdown.limit_as_all_runs()
    memory = None
    if walls.doorman is not None:
        memory = lockdown.open_own_memory()
        lockdown.hide_memory()
    if walls.ruleset is not None:
        landlock.apply(walls.ruleset)
    if walls.doorman is not None and memory is not None:
        doorman.introduce(walls.doorman, listener=walls.door.apply_with_listener(), memory=memory)
    if walls.processes is not None:
        walls.processes.apply()


def begin(order: dict[str, Any], *, channel: int, log: int, job: int, walls: Walls) -> NoReturn:
    """Lock this prepared process down, then run the job. `order` has the `limits` and the `uid` to change to.

    Raises what goes wrong while the walls go up, and what a bot has broken when its answer is to be sent.
    """
    _place(log, channel, job)
    _lock_down(walls, order)
    prints = output.send_prints_to(_LOG)
    questions = Channel(_CHANNEL)
    if not questions.may_begin():
        os._exit(0)
    _work(questions, prints)
    questions.wait_for_the_end()
    os._exit(0)


def _place(log: int, channel: int, job: int) -> None:
    """Give each descriptor the number that it has in every run, and close all others."""
    # Opened anew: flags that a bot sets on a description which others have too would reach them.
    wanted = {
        _NOTHING: os.open(os.devnull, os.O_RDONLY),
        _LOG: log,
        _ERRORS: log,
        _CHANNEL: channel,
        _JOB: job,
    }
    # First out of the way, since a number may be another's place.
    moved = {
        place: fcntl.fcntl(number, fcntl.F_DUPFD, _ABOVE_ALL_OF_THEM) for place, number in wanted.items()
    }
    for place, number in moved.items():
        os.dup2(number, place)
    os.closerange(len(wanted), _ABOVE_ALL)


def _lock_down(walls: Walls, order: dict[str, Any]) -> None:
    options = walls.options
    if Layer.LIMITS in options.layers:
        lockdown.limit(**order["limits"])
    if Layer.RIGHTS in options.layers:
        if options.changes_user:
            lockdown.become(order["uid"])
        lockdown.drop_capabilities()
    lockdown.hide_memory()
    lockdown.die_with_zygote(None if options.has_namespaces else walls.zygote)
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
