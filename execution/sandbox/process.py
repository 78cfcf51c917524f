"""A process as the kernel shows it from outside, and its end."""

import contextlib
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_USER_TICKS, _SYSTEM_TICKS = 11, 12  # in /proc/PID/stat, counted after the name
_DEATH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since it began, and its own memory now, which it shares with no file."""

    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0  # resident
    own_memory_mb: float = 0.0


class WatchedProcess:
    """One process by its id on this machine. Leaving the `with` block kills it and waits until it is gone."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        os.close(self._handle)

    def status(self) -> dict[str, str]:
        """Return the fields of /proc/PID/status. Raises OSError when the process is gone."""
        lines = self._read("status").split("\n")
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def usage(self) -> Usage | None:
        """Return what it has used, or None when it is gone."""
        try:
            status = self.status()
            times = self._read("stat").rpartition(")")[2].split()
            peak, own, swapped = (megabytes(status[name]) for name in ("VmHWM", "RssAnon", "VmSwap"))
        except (OSError, KeyError):  # a dead process that nobody has waited for has a status without memory
            return None
        if self._is_gone(0):  # then the id may already be another process's
            return None
        ticks = int(times[_USER_TICKS]) + int(times[_SYSTEM_TICKS])
        return Usage(ticks / _TICKS_PER_SECOND, peak, own + swapped)

    def _read(self, name: str) -> str:
        # A process names itself, in any bytes.
        return Path(f"/proc/{self.pid}/{name}").read_bytes().decode("latin-1")

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        self._is_gone(_DEATH_SECONDS)

    def _is_gone(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))


def megabytes(field: str) -> float:
    """Return the number in a field of /proc/PID/status such as "1234 kB", in MB."""
    return int(field.split(maxsplit=1)[0]) / 1024
