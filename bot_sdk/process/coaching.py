"""Say in words what a bot may not do, at the line where it tries, before the kernel says no.

This is no wall, only courtesy: a call that goes past Python's own functions meets the system call filter.
"""

import errno
import sys

_NO_NETWORK = "A bot has no network: what it may know is in the frame and in the get_… methods."
_ONE_PROCESS = "A bot is one process: it can start no program and signal no other."

_REASONS = {
    "socket.__new__": _NO_NETWORK,
    "socket.getaddrinfo": _NO_NETWORK,
    "socket.gethostbyname": _NO_NETWORK,
    "os.exec": _ONE_PROCESS,
    "os.fork": _ONE_PROCESS,
    "os.forkpty": _ONE_PROCESS,
    "os.kill": _ONE_PROCESS,
    "os.killpg": _ONE_PROCESS,
    "os.posix_spawn": _ONE_PROCESS,
    "os.system": _ONE_PROCESS,
    "subprocess.Popen": _ONE_PROCESS,
}


def begin() -> None:
    """Watch what the bot does from now on."""
    sys.addaudithook(_check)


def _check(event: str, _: tuple[object, ...]) -> None:
    reason = _REASONS.get(event)
    if reason is not None:
        raise PermissionError(errno.EPERM, reason)
