"""Run a bot on its developer's own machine: each time in a process of its own, and not confined.

The code is the developer's own, and may do what its developer may. The process is there so that every run
begins with nothing in memory, as on the platform, ends when its time is over, and can crash alone. It is
forked from a server that has loaded the libraries.

What the platform's walls forbid is mostly said here too (`process.coaching`), but not held. Nothing is kept
of what a bot prints.
"""

import io
import json
import multiprocessing
import os
import resource
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, NamedTuple

from bot_sdk.code_policy import Finding
from bot_sdk.model_files import ModelFile
from bot_sdk.process.endings import ended_early, out_of_time, over_asked
from bot_sdk.process.environment import ENVIRONMENT
from bot_sdk.process.inspection import INSPECTION_LIMITS, Inspection, findings_in
from bot_sdk.process.introduction import Introduction
from bot_sdk.process.job import Job, Limits, Run
from bot_sdk.process.job_file import read_order
from bot_sdk.process.preloads import modules_of, needs
from bot_sdk.process.questions import Dialog, Interview
from bot_sdk.process.reply import Answer, Introduced
from bot_sdk.process.rows import Row, read_rows
from bot_sdk.process.verdicts import Verdict
from bot_sdk.process.work import work
from bot_sdk.runner import RunUnavailable

if TYPE_CHECKING:
    from bot_sdk.backtest import Backtest

_MOMENT_SECONDS = 0.25
_UP = b"U"
_USAGE = struct.Struct(
    "dd"
)  # before each line of a process: its CPU seconds so far, its peak of memory in MB
_MAXRSS_PER_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10


def inspect(code: bytes) -> list[Finding]:
    """Return what the policy finds in the code, by line; that it could not be checked is a finding too."""
    return findings_in(_follow(Interview(Inspection(code)), INSPECTION_LIMITS, ()).answer)


def introduce(code: str, models: Sequence[ModelFile], limits: Limits) -> Introduced | str:
    """Return what bot the file holds; a text says why it holds none, or which model does not open."""
    dialog = Interview(Introduction(code, tuple(models)))
    answer = _follow(dialog, limits, modules_of(needs(code, models))).answer
    return answer.introduced or f"{answer.verdict}: {answer.message}"


def rehearse(
    backtest: "Backtest",
    code: str,
    models: Sequence[ModelFile],
    limits: Limits,
    *,
    is_strict: bool,
    goes_on: Callable[[], bool],
) -> Run:
    """Run the bot over a backtest in one process and return how that ended; the backtest has moved on."""
    from bot_sdk.process.rehearsal import STRICT, Rehearsal  # noqa: PLC0415  needs pandas

    # All at once, or one by one: neither side ever waits to send while the other does.
    ahead = STRICT if is_strict else len(backtest.history)
    rehearsal = Rehearsal(backtest, code, models, ahead=ahead, goes_on=goes_on)
    ending = _follow(rehearsal, limits, modules_of(needs(code, models)))
    return ending.run(rehearsal.conclude(ending.answer))


def run(job: Job, limits: Limits) -> Run:
    """Ask the bot once, in a process of its own."""
    ending = _follow(Interview(job), limits, modules_of(needs(job.code, job.models)))
    return ending.run(ending.answer)


class _Ending(NamedTuple):
    """What a process came to, and what it had used when it last said something."""

    answer: Answer
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float

    def run(self, answer: Answer) -> Run:
        """Return the run that it was, with this answer."""
        return Run(
            verdict=answer.verdict,
            action=answer.action,
            message=answer.message,
            seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            peak_memory_mb=self.peak_memory_mb,
        )


def _follow(dialog: Dialog, limits: Limits, preload: tuple[str, ...]) -> _Ending:
    """Hold the dialog with a new process, and end it."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        raise RunUnavailable("Bots are checked on Linux and macOS only: on Windows, do it in WSL.")
    processes = multiprocessing.get_context("forkserver")
    here, there = processes.Pipe()
    process = processes.Process(target=_be_the_process, args=(there, preload, limits.memory_mb), daemon=True)
    # The server is started by the first process, and loads what that one needs.
    processes.set_forkserver_preload([_be_the_process.__module__, "bot_sdk.process.work", *preload])
    with _environment():
        process.start()
    there.close()
    try:
        return _converse(here, process, dialog, limits)
    finally:
        process.kill()
        process.join()
        process.close()
        here.close()


def _converse(line: Connection, process: BaseProcess, dialog: Dialog, limits: Limits) -> _Ending:
    try:
        line.recv_bytes()
    except EOFError:
        raise RunUnavailable("A new Python process ended at once: try `python -c 'import pandas'`.") from None
    line.send_bytes(dialog.packed())
    if first := dialog.begin():
        line.send_bytes(first)
    started_at = time.monotonic()
    usage = (0.0, 0.0)

    def ended(answer: Answer) -> _Ending:
        return _Ending(answer, time.monotonic() - started_at, *usage)

    while not dialog.is_complete:
        left = started_at + limits.seconds - time.monotonic()
        if left <= 0:
            return ended(out_of_time(limits))
        if not line.poll(min(left, _MOMENT_SECONDS)):
            dialog.wait()
            continue
        try:
            message = line.recv_bytes()
        except (ConnectionError, EOFError):
            process.join()
            return ended(ended_early(process.exitcode or 0))
        usage = _USAGE.unpack_from(message)
        reply = dialog.hear(message[_USAGE.size :])
        if dialog.is_over_asked:
            return ended(over_asked())
        if reply:
            line.send_bytes(reply)
    return ended(dialog.answers[0] if dialog.answers else Answer(Verdict.OK))


@contextmanager
def _environment() -> Iterator[None]:
    """Have what is started meanwhile find the variables of a bot's process."""
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _be_the_process(connection: Connection, preload: tuple[str, ...], memory_mb: int) -> None:
    for module in preload:
        import_module(module)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    connection.send_bytes(_UP)
    order = read_order(io.BytesIO(connection.recv_bytes()))
    _limit_memory(memory_mb)
    line = _Line(connection, started_at=time.process_time())
    work(order, line, say=line.say, say_soon=line.say)


def _limit_memory(memory_mb: int) -> None:
    """Let the process allocate so much more than it has; only Linux tells and holds it."""
    try:
        with open("/proc/self/status") as file:
            fields = dict(field.split(":", 1) for field in file)
    except FileNotFoundError:
        return
    has = int(fields["VmData"].split()[0]) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (has + (memory_mb << 20),) * 2)


class _Line:
    """The process's end of the pipe."""

    def __init__(self, connection: Connection, *, started_at: float) -> None:
        self._connection = connection
        self._started_at = started_at

    def say(self, line: bytes) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXRSS_PER_MB
        self._connection.send_bytes(_USAGE.pack(time.process_time() - self._started_at, peak) + line)

    def answer(self, question: str, *arguments: object) -> Any:
        """Return the answer to a bot's question. Raises ValueError, with its words, for a refusal."""
        self.say(json.dumps({"ask": question, "with": arguments}).encode())
        reply = json.loads(self._connection.recv_bytes())
        if "error" in reply:
            raise ValueError(reply["error"])
        return reply["answer"]

    def rows(self, count: int, width: int) -> Iterator[Row]:
        """Yield so many rows of `width` numbers as they come."""
        while count:
            rows = read_rows(self._connection.recv_bytes(), width)
            count -= len(rows)
            yield from rows
