"""One jail from its start to its certain end: start it, hand over, listen, kill.

What is read from the process after the hand-over is hostile. It is kept as bytes, within caps, and parsed by
`reply.py`.
"""

import fcntl
import json
import math
import os
import selectors
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import FileIO
from typing import BinaryIO

from execution.sandbox.bubblewrap import jail_command
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.intake import Intake
from execution.sandbox.job import Job, Limits
from execution.sandbox.process import Usage, WatchedProcess, megabytes
from execution.sandbox.reply import LONGEST_REPLY

LONGEST_LOG = 64 * 1024  # bytes
_START_SECONDS = 60.0  # importing the libraries takes one or two, on a cold disk under load many more
_SAMPLE_SECONDS = 0.05
_MB = 1 << 20  # bytes
# Libraries that a bot imports are mapped into the address space without being its data.
_MAPPED_FILES_MB = 2048
# The stack, and pages of libraries that are written once, when they are loaded, are its own but not its data.
_NO_DATA_MB = 64
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@dataclass(frozen=True, slots=True)
class Ending:
    """What could be seen of a run from outside.

    `reply` is the answer without its newline, or what there was of it; `is_answered` tells which.
    `is_over_memory` is true when it had more memory than the kernel's own accounting should have let it have.
    `exit_code` is bubblewrap's when the process ended by itself, 128 and the signal's number when a signal
    ended it; None when it was still there. `before` and `after` are its usage at the hand-over and the end.
    """

    reply: bytes
    is_answered: bool
    is_over_memory: bool
    exit_code: int | None
    log: bytes
    seconds: float
    before: Usage
    after: Usage


class Jail:
    """A confined process that is up and waits for the one run of its life. `open_jail` makes it."""

    def __init__(
        self,
        process: WatchedProcess,
        control: socket.socket,
        bubblewrap: subprocess.Popen[bytes],
        log: FileIO,
    ) -> None:
        self.process = process
        self._control = control
        self._bubblewrap = bubblewrap
        self._reply = Intake(control, LONGEST_REPLY)
        self._log = Intake(log, LONGEST_LOG)
        self._usage = Usage()
        self._most_memory_mb = math.inf
        os.set_blocking(log.fileno(), False)

    def run(self, limits: Limits) -> Ending:
        """Hand the bot's code over and return when it has answered, ended, or used up its time or memory.

        Raises SandboxUnavailable when the process ended before the hand-over.
        """
        before = self._hand_over(limits)
        started = time.monotonic()
        exit_code = self._listen(started + limits.seconds)
        return Ending(
            reply=bytes(self._reply.data).partition(b"\n")[0],
            is_answered=self._is_answered,
            is_over_memory=self._is_over_memory,
            exit_code=exit_code,
            log=bytes(self._log.data),
            seconds=time.monotonic() - started,
            before=before,
            after=self._usage,
        )

    @property
    def _is_answered(self) -> bool:
        return b"\n" in self._reply.data or self._reply.is_overfull

    @property
    def _is_over_memory(self) -> bool:
        return self._usage.own_memory_mb > self._most_memory_mb

    def _hand_over(self, limits: Limits) -> Usage:
        try:
            status = self.process.status()
            data_mb = megabytes(status["VmData"]) + limits.memory_mb
            address_space_mb = megabytes(status["VmSize"]) + limits.memory_mb + _MAPPED_FILES_MB
            message = {
                "cpu_seconds": limits.cpu_seconds,
                "data_bytes": int(data_mb * _MB),
                "address_space_bytes": int(address_space_mb * _MB),
            }
            self._most_memory_mb = data_mb + _NO_DATA_MB
            self._sample()
            self._control.sendall(json.dumps(message).encode())
            self._control.setblocking(False)
        except (OSError, KeyError) as error:  # a dead process has a status without memory
            raise SandboxUnavailable(
                f"The jail ended before the bot's code was handed over: {error!r}."
            ) from error
        return self._usage

    def _listen(self, deadline: float) -> int | None:
        """Take in until the bot has answered, is gone, or has used too much; return the exit code, if any."""
        exit_code, next_sample = None, 0.0
        with selectors.DefaultSelector() as events:
            for intake in (self._reply, self._log):
                events.register(intake.fileno(), selectors.EVENT_READ, intake)
            while (
                exit_code is None
                and not (self._is_answered or self._is_over_memory)
                and (left := deadline - time.monotonic()) > 0
            ):
                for key, _ in events.select(min(left, _SAMPLE_SECONDS)):
                    if not key.data.take():
                        events.unregister(key.fd)
                if time.monotonic() >= next_sample:
                    self._sample()
                    next_sample = time.monotonic() + _SAMPLE_SECONDS
                exit_code = self._bubblewrap.poll()
            # What was written before the answer or the end may still lie in the pipes.
            for key in list(events.get_map().values()):
                key.data.take()
        self._sample()
        return exit_code

    def _sample(self) -> None:
        self._usage = self.process.usage() or self._usage


@contextmanager
def open_jail(job: Job) -> Iterator[Jail]:
    """Start a confined process, wait until it is up, and end it when the block is left, come what may.

    Use it within one thread: bubblewrap dies with the thread that started it. Raises SandboxUnavailable.
    """
    with ExitStack() as stack:
        control, theirs = socket.socketpair()
        stack.enter_context(control)
        # The kernel then tells who wrote, in our numbering.
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        read_end, write_end = os.pipe()
        log = stack.enter_context(os.fdopen(read_end, "rb", buffering=0))
        with theirs, os.fdopen(write_end, "wb") as output, _sealed_file(job.packed()) as job_file:
            bubblewrap = stack.enter_context(_start(theirs, output, job_file))
        stack.callback(bubblewrap.kill)
        process = stack.enter_context(_await_up(control, bubblewrap, log))
        yield Jail(process, control, bubblewrap, log)


def _sealed_file(data: bytes) -> BinaryIO:
    """Return a file in memory that nobody can change any more."""
    file = os.fdopen(os.memfd_create("job", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    file.write(data)
    file.seek(0)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
    return file


def _start(control: socket.socket, output: BinaryIO, job_file: BinaryIO) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            jail_command(control=control.fileno(), job_file=job_file.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(control.fileno(), job_file.fileno()),
            cwd="/",
            env={},
        )
    except OSError as error:
        raise SandboxUnavailable(f"bubblewrap cannot be started: {error}.") from error


def _await_up(control: socket.socket, bubblewrap: subprocess.Popen[bytes], log: FileIO) -> WatchedProcess:
    """Return the process that says that it is up, as the kernel names it."""
    control.settimeout(_START_SECONDS)
    try:
        said, facts, _, _ = control.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size))
    except TimeoutError:
        raise SandboxUnavailable(f"The jail was not up within {_START_SECONDS:.0f} seconds.") from None
    if not said:
        raise SandboxUnavailable(f"The jail did not start: {_last_words(bubblewrap, log)}.")
    pid, uid, _ = _CREDENTIALS.unpack(facts[0][2])
    if uid == 0:
        raise SandboxUnavailable("The jail's process is still root, so it gets no code.")
    return WatchedProcess(pid)


def _last_words(bubblewrap: subprocess.Popen[bytes], log: FileIO) -> str:
    bubblewrap.kill()
    lines = log.readall().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"bubblewrap ended with status {bubblewrap.wait()} and said nothing"
