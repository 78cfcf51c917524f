"""A control group per run, where the operator delegates a folder of cgroup v2 (BOT_CGROUP) to the workers.

It holds what rlimits cannot: memory that is shared or the kernel's, the share of a processor at each moment,
and the number of threads of one run alone.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from django.conf import settings

from bot_sdk.process.job import MOST_THREADS, Limits
from execution.sandbox.errors import SandboxUnavailable

_PERIOD_MICROSECONDS = 100_000
_OWN_MB = 64  # what a run writes of the memory that it has from the zygote counts as its own
_PREFIX = "run-"


@contextmanager
def confine(pid: int, limits: Limits) -> Iterator[Callable[[], bool]]:
    """Put the process into a group of its own while the block lasts; without a delegated folder, do nothing.

    The function that it returns tells whether the group's memory was used up, at which the kernel ends the
    process. Raises SandboxUnavailable when the folder does not let it.
    """
    if not settings.BOT_CGROUP:
        yield lambda: False
        return
    values = {
        "memory.max": (limits.memory_mb + _OWN_MB) << 20,
        "pids.max": MOST_THREADS,
        "cpu.max": f"{limits.cpu_percent * _PERIOD_MICROSECONDS // 100} {_PERIOD_MICROSECONDS}",
        "cgroup.procs": pid,
    }
    with ExitStack() as stack:
        try:
            group = stack.enter_context(_new_group(Path(settings.BOT_CGROUP)))
            if (group / "memory.swap.max").exists():  # where the kernel can swap
                _write(group / "memory.swap.max", 0)
            for name, value in values.items():
                _write(group / name, value)
        except OSError as error:
            raise SandboxUnavailable(
                f"BOT_CGROUP: expected a folder of cgroup v2 that this user may write to, with the "
                f"controllers memory, pids and cpu in its cgroup.subtree_control; {error}."
            ) from error
        yield lambda: _was_used_up(group)


@contextmanager
def _new_group(folder: Path) -> Iterator[Path]:
    """Make a group that is locked while in use; those that are not go, such as a killed worker left."""
    with ExitStack() as stack:
        with _locked(folder):  # another worker would take a group that is not locked yet for a former one
            for former in folder.glob(f"{_PREFIX}*"):
                with suppress(OSError), _locked(former, fcntl.LOCK_NB):
                    _remove(former)
            group = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
            stack.enter_context(_locked(group))
        try:
            yield group
        finally:
            with suppress(OSError):  # its process takes a moment to end; then the next run removes it
                _remove(group)


@contextmanager
def _locked(folder: Path, flag: int = 0) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flag)
        yield
    finally:
        os.close(descriptor)


def _remove(group: Path) -> None:
    """End whatever is in the group, and remove it. Raises OSError when something is not gone yet."""
    with suppress(FileNotFoundError):  # before Linux 5.14; whoever runs it also ends it
        _write(group / "cgroup.kill", 1)
    group.rmdir()


def _was_used_up(group: Path) -> bool:
    """Whether its own memory was; the kernel also ends processes when the machine has none left."""
    events = (group / "memory.events").read_text().splitlines()
    return any(int(count) for name, count in map(str.split, events) if name == "oom")


def _write(file: Path, value: object) -> None:
    """Write to a file that is there: in a folder which is no control group, none is."""
    with open(os.open(file, os.O_WRONLY), "w") as opened:
        opened.write(str(value))
