"""A control group per run, where the operator delegates a folder of cgroup v2 (BOT_CGROUP) to the workers.

It holds what rlimits cannot: memory that is shared or the kernel's, the share of a processor at each moment,
and the number of threads of one run alone.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from bot_sdk.process.job import MOST_THREADS, Limits
from execution.sandbox.errors import SandboxUnavailable

_PERIOD_MICROSECONDS = 100_000
_OWN_MB = 64  # what a run needs of its own before the bot's code begins
_EMPTY_SECONDS = 5.0


@contextmanager
def confine(pid: int, limits: Limits) -> Iterator[None]:
    """Put the process into a group of its own while the block lasts; without a delegated folder, do nothing.

    Raises SandboxUnavailable when the folder does not let it.
    """
    if not settings.BOT_CGROUP:
        yield
        return
    group = Path(settings.BOT_CGROUP, f"run-{pid}")
    values = {
        "memory.max": (limits.memory_mb + _OWN_MB) << 20,
        "pids.max": MOST_THREADS,
        "cpu.max": f"{limits.cpu_percent * _PERIOD_MICROSECONDS // 100} {_PERIOD_MICROSECONDS}",
        "cgroup.procs": pid,
    }
    try:
        group.mkdir()
        for name, value in values.items():
            (group / name).write_text(str(value))
    except OSError as error:
        _remove(group)
        raise SandboxUnavailable(
            f"BOT_CGROUP: expected a folder of cgroup v2 that this user may write to, with the controllers "
            f"memory, pids and cpu in its cgroup.subtree_control; {error}."
        ) from error
    try:
        yield
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """End whatever is in the group, and remove it."""
    deadline = time.monotonic() + _EMPTY_SECONDS
    while group.exists():
        try:
            (group / "cgroup.kill").write_text("1")
            group.rmdir()
        except OSError:  # its processes take a moment to end
            if time.monotonic() > deadline:
                return
            time.sleep(0.001)
