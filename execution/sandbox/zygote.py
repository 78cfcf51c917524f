"""A zygote from the worker's side: start it, have it fork, let it go."""

import fcntl
import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import IO, NamedTuple

from bot_sdk.process.job import MOST_THREADS, Limits
from bot_sdk.process.questions import Dialog
from execution.sandbox import cgroup
from execution.sandbox.confined import Confined
from execution.sandbox.engine import Engine, Layers, any_uid
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.process import WatchedProcess, megabytes

_START_SECONDS = 60.0  # importing the libraries takes one or two, on a cold disk under load many more
_MB = 1 << 20  # bytes
# Libraries that a bot imports are mapped into the address space without being its data.
_MAPPED_FILES_MB = 2048
# Threads are counted by user. Where a run has no user of its own, its neighbours count too, and the watchdog
# of each run holds it to its share.
_THREADS_OF_ALL_RUNS = 4096
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_LONGEST_REPORT = 4096  # bytes


class _Size(NamedTuple):
    data_mb: float
    address_space_mb: float
    resident_mb: float


class ZygoteGone(SandboxUnavailable):
    """The zygote ended before the bot's code was handed over: another one may be tried."""


class Zygote:
    """A warm process behind its engine's walls. Threads may have it fork side by side.

    It ends with `close`, or with this process: it notices that nobody is there any more.
    """

    def __init__(self, engine: Engine, preload: tuple[str, ...], layers: Layers) -> None:
        """Start it and wait until it is warm. Raises SandboxUnavailable."""
        self.started_at = time.monotonic()
        self.runs = 0
        self._is_gone = False
        self._launch = engine.launch(preload, layers)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # The kernel then tells who wrote, in our numbering.
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            with tempfile.TemporaryFile() as output:
                with theirs:
                    self._program = self._start(theirs, output)
                self.pid = self._await_ready(output)
            self._size = self._measure()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def run(self, dialog: Dialog, limits: Limits) -> Iterator[Confined]:
        """Fork a process that is behind its walls and waits for its go; end it when the block is left.

        Raises ZygoteGone and SandboxUnavailable.
        """
        self.runs += 1
        with ExitStack() as stack:
            channel, their_channel = _pair(stack, socket.SOCK_STREAM)
            report, their_report = _pair(stack, socket.SOCK_SEQPACKET)
            read_end, write_end = os.pipe()
            log = stack.enter_context(os.fdopen(read_end, "rb", buffering=0))
            with os.fdopen(write_end, "wb") as their_log, _sealed_file(dialog.packed()) as their_job:
                theirs = (
                    their_channel.fileno(),
                    their_report.fileno(),
                    their_log.fileno(),
                    their_job.fileno(),
                )
                self._send(self._order(limits), theirs)
            their_channel.close()
            their_report.close()
            process = stack.enter_context(self._began(report))
            if limits.is_suspect:
                process.step_back()
            _await_up(channel, log)
            is_out_of_memory = stack.enter_context(cgroup.confine(process.pid, limits))
            yield Confined(
                process,
                dialog,
                limits,
                channel=channel,
                report=report,
                log=log,
                first_memory_mb=self._size.resident_mb,
                most_memory_mb=self._size.data_mb + limits.memory_mb,
                is_out_of_memory=is_out_of_memory,
            )

    def is_alive(self) -> bool:
        return not self._is_gone and self._program.poll() is None

    def close(self) -> None:
        """Let it go: it ends by itself, and with it what runs it still has."""
        self._control.close()
        program = getattr(self, "_program", None)
        if program is not None:
            # Whoever is asked to wait for it waits for milliseconds.
            threading.Thread(target=program.wait, daemon=True).start()

    def _start(self, control: socket.socket, output: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._launch.arguments(control.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(control.fileno(),),
                cwd="/",
                env=dict(self._launch.environment),
                user=self._launch.user,
                group=self._launch.user,
                extra_groups=None if self._launch.user is None else [],
                # Out of reach of a terminal's signals, but in the worker's session: between sessions niceness
                # means nothing where the kernel shares time out among them first (sched_autogroup).
                process_group=0,
            )
        except OSError as error:
            raise SandboxUnavailable(f"the zygote cannot be started: {error}.") from error

    def _await_ready(self, output: IO[bytes]) -> int:
        """Return the process id of the zygote that says that it is ready, as the kernel names it."""
        self._control.settimeout(_START_SECONDS)
        try:
            said, facts, _, _ = self._control.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size))
        except TimeoutError:
            self._program.kill()
            raise SandboxUnavailable(
                f"the zygote was not ready within {_START_SECONDS:.0f} seconds."
            ) from None
        if not said:
            raise SandboxUnavailable(f"the zygote did not start: {_last_words(self._program, output)}.")
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        pid: int = _CREDENTIALS.unpack(facts[0][2])[0]
        return pid

    def _measure(self) -> "_Size":
        """Return how large it is: runs begin with that. Raises SandboxUnavailable when it has threads."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        status = dict(line.split(":\t", 1) for line in text.splitlines())
        if int(status["Threads"]) != 1:
            raise SandboxUnavailable(
                f"preloading {', '.join(self._launch.options.preload)} leaves {status['Threads']} threads, "
                "and such a process cannot be forked from."
            )
        if "VmData" not in status:
            raise ZygoteGone("the zygote ended as soon as it was ready.")
        return _Size(*(megabytes(status[name]) for name in ("VmData", "VmSize", "VmRSS")))

    def _order(self, limits: Limits) -> bytes:
        changes_user = self._launch.options.changes_user
        order = {
            "uid": any_uid(),
            "limits": {
                "cpu_seconds": limits.cpu_seconds,
                "data_bytes": int((self._size.data_mb + limits.memory_mb) * _MB),
                "address_space_bytes": int(
                    (self._size.address_space_mb + limits.memory_mb + _MAPPED_FILES_MB) * _MB
                ),
                "threads": MOST_THREADS if changes_user else _THREADS_OF_ALL_RUNS,
            },
        }
        return json.dumps(order).encode()

    def _send(self, order: bytes, descriptors: Sequence[int]) -> None:
        try:
            socket.send_fds(self._control, [order], descriptors, socket.MSG_NOSIGNAL)
        except OSError as error:
            self._is_gone = True
            raise ZygoteGone(f"the zygote has ended: {error}.") from error

    @contextmanager
    def _began(self, report: socket.socket) -> Iterator[WatchedProcess]:
        """Return the forked process; it is killed when the block is left."""
        report.settimeout(_START_SECONDS)
        try:
            message, handles, _, _ = socket.recv_fds(report, _LONGEST_REPORT, 1)
        except OSError as error:
            self._is_gone = True
            raise ZygoteGone(f"the zygote gave no sign: {error}.") from error
        if not handles:
            self._is_gone = not message
            # Without a handle and without an error: the kernel had no descriptor left for it.
            report_of = json.loads(message) if message else {"error": "the zygote has ended"}
            reason = report_of.get("error", "this process is out of files")
            raise ZygoteGone(f"the run could not be forked: {reason}.")
        process = WatchedProcess(handles[0])
        try:
            yield process
        finally:
            process.kill()
            process.close()


def _pair(stack: ExitStack, kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    return stack.enter_context(ours), stack.enter_context(theirs)


@contextmanager
def _sealed_file(data: bytes) -> Iterator[FileIO]:
    """Open a file in memory that nobody can change any more."""
    with os.fdopen(os.memfd_create("job", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b", buffering=0) as file:
        file.write(data)
        file.seek(0)
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        yield file


def _await_up(channel: socket.socket, log: FileIO) -> None:
    """Wait until the process says that its walls are up.

    Raises ZygoteGone when it was killed before, as one may be that waited for its order: try another.
    """
    channel.settimeout(_START_SECONDS)
    try:
        said = channel.recv(1)
    except OSError as error:
        raise SandboxUnavailable(f"the run's walls were not up in time: {error}.") from error
    if not said:
        words = log.readall().decode(errors="replace").strip()
        if not words:
            raise ZygoteGone("the process ended before its walls were up.")
        raise SandboxUnavailable(f"the run's walls could not be put up: {words}.")


def _last_words(program: subprocess.Popen[bytes], output: IO[bytes]) -> str:
    status = program.wait()
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else f"it ended with status {status} and said nothing"
