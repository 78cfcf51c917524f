"""Start a process that ends with its parent, and end one for certain."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 15.0


def start(
    command: Sequence[str],
    *,
    log: Path | None = None,
    environment: Mapping[str, str],
    folder: Path,
    user: int | None = None,
    last_wish: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a process of its own group, whose output goes to `log`, or where ours goes.

    The kernel sends it `last_wish` when we die, even by SIGKILL. As root, `user` is whom it runs as.
    """
    launcher = [sys.executable, "-P", __file__, str(os.getpid()), str(int(last_wish)), str(user or "")]
    with ExitStack() as stack:
        stream = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(log.open("ab"))
        return subprocess.Popen(
            [*launcher, *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Ask the process to end, and end its whole group if it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(how)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it left behind in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _become(parent: int, last_wish: int, user: str, command: list[str]) -> None:
    """Turn this process into `command`, tied to its parent's life."""
    if user:
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    # After the change of user, which clears it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, last_wish, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
