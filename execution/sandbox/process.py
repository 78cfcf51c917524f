"""A process as the kernel shows it from outside, and its end."""

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_DEATH_SECONDS = 5.0
_LOWEST_PRIORITY = 19
_SCHEDULERS_CLOCK = 2  # CPUCLOCK_SCHED, the kernel's precise one, in the low bits of a clock's id


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses: `own_memory_mb` is what it shares with no file, `peak_memory_mb` was the most."""

    own_memory_mb: float
    peak_memory_mb: float
    threads: int


class WatchedProcess:
    """One process by its handle (pidfd), which no other process can come to stand for."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._is_dismissed = False
        try:
            self.pid = _pid_of(handle)
        except BaseException:
            os.close(handle)
            raise

    def close(self) -> None:
        os.close(self._handle)

    def status(self) -> dict[str, str]:
        """Return the fields of /proc/PID/status. Raises OSError when the process is gone."""
        # A process names itself, in any bytes.
        lines = Path(f"/proc/{self.pid}/status").read_bytes().decode("latin-1").split("\n")
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def usage(self) -> Usage | None:
        """Return what it uses, or None when it is gone."""
        try:
            status = self.status()
            own = megabytes(status["RssAnon"]) + megabytes(status["VmSwap"])
            peak = megabytes(status["VmHWM"])
        except (OSError, KeyError):  # a dead process that nobody has waited for has a status without memory
            return None
        if self.is_gone(0):  # then the id may already be another process's
            return None
        return Usage(own, peak, int(status["Threads"]))

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used so far, with all its threads; 0 when it is gone."""
        try:
            return time.clock_gettime(~self.pid << 3 | _SCHEDULERS_CLOCK)
        except OSError:
            return 0.0

    def step_back(self) -> None:
        """Have it yield to nearly everyone from now on, with the threads that it has and will have."""
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, self.pid, _LOWEST_PRIORITY)
            # Which it leads as soon as its walls are up; before, it has one thread.
            os.setpriority(os.PRIO_PGRP, self.pid, _LOWEST_PRIORITY)

    def kill(self) -> None:
        """End it, and return when it has ended; at once if it was dismissed."""
        if not self._is_dismissed:
            self.dismiss()
            self.is_gone(_DEATH_SECONDS)

    def dismiss(self) -> None:
        """End it: it comes to nothing more, but the kernel may still be clearing it away."""
        self._is_dismissed = True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def is_gone(self, seconds: float) -> bool:
        """Wait so long for its end and tell whether it came."""
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))


def megabytes(field: str) -> float:
    """Return the number in a field of /proc/PID/status such as "1234 kB", in MB."""
    return int(field.split(maxsplit=1)[0]) / 1024


def _pid_of(handle: int) -> int:
    """Return the id of the process, as this process's namespace numbers it."""
    for line in Path(f"/proc/self/fdinfo/{handle}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pid":
            return int(value)
    raise ProcessLookupError(f"descriptor {handle} stands for no process")
