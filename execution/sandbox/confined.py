"""One confined process from its go to its certain end: listen, answer its questions, watch, kill.

What is read from the process is hostile. It is kept as bytes, within caps, and parsed by `reply.py`.
"""

import json
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from typing import Any

from bot_sdk.process.job import MOST_THREADS, Asked, Limits
from bot_sdk.process.questions import Dialog
from bot_sdk.process.reply import LONGEST_REPLY, Answer
from execution.sandbox.intake import Intake
from execution.sandbox.process import WatchedProcess

LONGEST_LOG = 64 * 1024  # bytes
_SAMPLE_SECONDS = 0.05
# Most runs end within this CPU time, and those that do not let them pass. On a busy machine the clock says
# nothing about what a run has used: honest ones would step back beside those that hold them up.
_SHORT_SECONDS = 0.02
# The kernel takes back no more than this within milliseconds, which nobody waits for.
_SMALL_MB = 32
_LONGEST_REPORT = 4096  # bytes
_DEATH_SECONDS = 10.0  # the kernel gives back a process's memory at once, or after what it is waiting for
# The stack, and pages of libraries that are written once, when they are loaded, are its own but not its data.
_NO_DATA_MB = 64
_GO = b"G"


class Cause(StrEnum):
    """Why a run was ended before it answered or ended by itself."""

    TIME = "time"
    MEMORY = "memory"
    THREADS = "threads"
    QUESTIONS = "questions"


@dataclass(frozen=True, slots=True)
class Ending:
    """What could be seen of a run from outside.

    `answers` are what it said, one for each thing that it was asked, or fewer. `unfinished` tells that it
    broke off within a line. `cause` is why it was ended, if it was. `exit_code` is negative when a signal
    ended the process, and None when the zygote could not tell, having ended itself.
    """

    answers: tuple[Answer, ...]
    unfinished: bool
    cause: Cause | None
    exit_code: int | None
    log: bytes
    asked: tuple[Asked, ...]
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    grown_memory_mb: float  # beyond what it began with


class Confined:
    """A process behind its walls that waits for the one run of its life. `Zygote.run` makes it."""

    def __init__(
        self,
        process: WatchedProcess,
        dialog: Dialog,
        limits: Limits,
        *,
        channel: socket.socket,
        report: socket.socket,
        log: FileIO,
        first_memory_mb: float,
        most_memory_mb: float,
        is_out_of_memory: Callable[[], bool],
    ) -> None:
        self.process = process
        self._channel = channel
        self._report = report
        self._limits = limits
        self._first_memory_mb = first_memory_mb
        self._most_memory_mb = most_memory_mb + _NO_DATA_MB
        self._is_out_of_memory = is_out_of_memory
        self._dialog = dialog
        self._lines = Intake(channel, LONGEST_REPLY + dialog.room)
        self._log = Intake(log, LONGEST_LOG)
        self._outgoing = b""
        self._news = select.poll()
        self._watched: dict[int, int] = {}  # descriptors with the events that are waited for
        self._end: dict[str, Any] | None = None
        self._first_cpu_seconds = 0.0
        self._deadline = 0.0

    def follow(self) -> Ending:
        """Let the bot begin, and return when it has answered, ended, or used more than it may.

        Raises AccountNeeded when a shared run asks about the account.
        """
        self._first_cpu_seconds = self.process.cpu_seconds()
        started = time.monotonic()
        self._deadline = started + self._limits.seconds
        self._channel.sendall(_GO)
        self._channel.setblocking(False)
        self._outgoing = self._dialog.begin()
        self._speak()
        self._report.setblocking(False)
        os.set_blocking(self._log.fileno(), False)
        cause = self._listen()
        seconds = time.monotonic() - started
        end = self._dismiss() or self._await_end()
        if cause is None and self._is_out_of_memory():
            cause = Cause.MEMORY
        peak_memory_mb = end.get("peak_memory_kb", 0) / 1024
        return Ending(
            answers=tuple(self._dialog.answers),
            unfinished=bool(self._lines.data),
            cause=cause,
            exit_code=end.get("exit_code"),
            log=bytes(self._log.data),
            asked=tuple(self._dialog.asked),
            seconds=seconds,
            cpu_seconds=max(0.0, end.get("cpu_seconds", 0.0) - self._first_cpu_seconds),
            peak_memory_mb=peak_memory_mb,
            grown_memory_mb=peak_memory_mb - self._first_memory_mb,
        )

    def _dismiss(self) -> dict[str, Any] | None:
        """End a run that has answered and used little, and return how it ended; None for any other."""
        if not self._dialog.is_complete or self._cpu_seconds() > _SHORT_SECONDS:
            return None
        usage = self.process.usage()
        if usage is None or usage.peak_memory_mb - self._first_memory_mb > _SMALL_MB:
            return None
        end = {
            "exit_code": -signal.SIGKILL,
            "cpu_seconds": self.process.cpu_seconds(),
            "peak_memory_kb": usage.peak_memory_mb * 1024,
        }
        self.process.dismiss()
        return end

    def _await_end(self) -> dict[str, Any]:
        """End any run, and return how it ended when all that it had is given back."""
        self.process.kill()
        if self._end is None:
            self._report.settimeout(_DEATH_SECONDS)
            self._learn_end()
        return self._end or {}

    def _cpu_seconds(self) -> float:
        """Return what it has used since its go."""
        return self.process.cpu_seconds() - self._first_cpu_seconds

    def _listen(self) -> Cause | None:
        """Take in until the bot has answered, has ended, or must be ended; return why it must."""
        next_look = time.monotonic() + _SHORT_SECONDS
        has_stepped_back = False
        while not self._is_over and self._end is None:
            now = time.monotonic()
            if now >= self._deadline:
                return Cause.TIME
            if now >= next_look:
                if not has_stepped_back and self._cpu_seconds() > _SHORT_SECONDS:
                    self.process.step_back()
                    has_stepped_back = True
                next_look = now + (_SAMPLE_SECONDS if has_stepped_back else _SHORT_SECONDS)
                if cause := self._look():
                    return cause
                self._dialog.wait()
            self._await_news(min(self._deadline, next_look) - now)
        # What was written before the answer or the end may still lie in the pipes.
        self._hear()
        self._log.take()
        return Cause.QUESTIONS if self._dialog.is_over_asked and not self._dialog.is_complete else None

    @property
    def _is_over(self) -> bool:
        return self._dialog.is_complete or self._dialog.is_over_asked

    def _await_news(self, seconds: float) -> None:
        wanted = {self._report.fileno(): select.POLLIN}
        if self._log.is_open:
            wanted[self._log.fileno()] = select.POLLIN
        if self._lines.is_open:
            listens = select.POLLIN if self._has_room else 0
            wanted[self._lines.fileno()] = listens | (select.POLLOUT if self._outgoing else 0)
        if wanted != self._watched:
            self._news, self._watched = select.poll(), wanted
            for descriptor, events in wanted.items():
                self._news.register(descriptor, events)
        for descriptor, _ in self._news.poll(math.ceil(seconds * 1000)):
            if descriptor == self._report.fileno():
                self._learn_end()
            elif self._log.is_open and descriptor == self._log.fileno():
                self._log.take()
            else:
                self._speak()
                self._hear()

    @property
    def _has_room(self) -> bool:
        """Whether it is heard; one that does not take what it was told is not, until it has."""
        return len(self._outgoing) <= self._dialog.room

    def _hear(self) -> None:
        """Read what it says and tell it what it is to know, until it has said all or its time is over."""
        if self._has_room:
            self._lines.take()
        data = self._lines.data
        # To hear may take longer than to say: who says much at once would be heard for long after its time.
        while self._has_room and not self._is_over and time.monotonic() < self._deadline:
            length = data.find(b"\n") + 1
            if not length and not self._lines.is_overfull:
                return
            line = bytes(data[: length or None])
            del data[: len(line)]
            self._outgoing += self._dialog.hear(line.rstrip(b"\n"))
            self._speak()

    def _speak(self) -> None:
        if not self._outgoing:
            return
        try:
            self._outgoing = self._outgoing[self._channel.send(self._outgoing) :]
        except BlockingIOError:
            return
        except OSError:  # it has hung up, or we have
            self._outgoing = b""

    def _look(self) -> Cause | None:
        usage = self.process.usage()
        if usage is None:
            return None
        if usage.own_memory_mb > self._most_memory_mb:
            return Cause.MEMORY
        return Cause.THREADS if usage.threads > MOST_THREADS else None

    def _learn_end(self) -> None:
        """Take the zygote's word on how the process ended; nothing when the zygote has ended before."""
        message = self._report.recv(_LONGEST_REPORT)
        self._end = json.loads(message) if message else {}
