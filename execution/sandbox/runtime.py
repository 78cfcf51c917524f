"""What a bot finds in its jail: an interpreter, the bots' libraries, the SDK, the C library. Nothing else.

Set-up has put a copy of the interpreter and the libraries into BOT_RUNTIME_DIR, readable by all and writable
by none.
"""

import functools
import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from django.conf import settings

import bot_sdk
from bot_sdk.process.environment import ENVIRONMENT
from execution.sandbox import inside
from execution.sandbox.errors import SandboxUnavailable

HOME = PurePosixPath("/runtime")
DEVICES = ("/dev/null", "/dev/urandom")

_TOLD_LIBRARIES = ("pandas", "numpy", "ta_lib")
_PYTHON_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
# The C library lies in a folder named for the machine, or else in lib64; aarch64 has its loader apart.
_SYSTEM_PLACES = ("/usr/lib64", "/usr/lib/ld-linux-aarch64.so.1", "/usr/share/zoneinfo")
_ROOT_LINKS = ("/lib", "/lib64")

_ENVIRONMENT = {**ENVIRONMENT, "HOME": "/nonexistent"}
VARIABLES = (*_ENVIRONMENT, "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of this machine and where the jail has it."""

    source: Path
    target: PurePosixPath


def binds() -> list[Bind]:
    """Return all that is bound into a jail that has a file system of its own."""
    return [
        *(Bind(place, PurePosixPath(place)) for place in _system()),
        *(Bind(folder, HOME / name) for name, folder in _folders().items()),
    ]


def places() -> list[Path]:
    """Return the same where there is no file system of its own."""
    return [*_system(), *_folders().values()]


def command_in_jail() -> list[str]:
    return _command(HOME / "python")


def command_outside() -> list[str]:
    return _command(_folders()["python"])


def environment_in_jail() -> dict[str, str]:
    """Return the variables of a zygote that sees what `binds` binds."""
    return _environment(HOME / "python", HOME / "site-packages", [HOME])


def environment_outside() -> dict[str, str]:
    """Return the variables of a zygote that sees this machine's folders, of which it may read `places`."""
    folders = _folders()
    others = [folders["bot_sdk"].parent, folders["inside"].parent]
    return _environment(folders["python"], folders["site-packages"], others)


@functools.cache
def fingerprint() -> str:
    """Return a hash over the interpreter's version, every library with its version, and the SDK's code."""
    folders = _folders()
    libraries = sorted(path.name for path in folders["site-packages"].glob("*.dist-info"))
    ours = sorted([*folders["bot_sdk"].rglob("*.py"), *folders["inside"].rglob("*.py")])
    digest = hashlib.sha256("\n".join([sys.version, *libraries]).encode())
    for file in ours:
        digest.update(file.read_bytes())
    return digest.hexdigest()


@functools.cache
def name() -> str:
    """Return the versions that a bot's developer would ask for, such as "Python 3.13.1, pandas 3.1.1"."""
    named = (path.name.removesuffix(".dist-info") for path in _folders()["site-packages"].glob("*.dist-info"))
    versions = dict(each.rsplit("-", 1) for each in named)
    told = [f"{library} {versions[library]}" for library in _TOLD_LIBRARIES if library in versions]
    return ", ".join([f"Python {sys.version.split()[0]}", *told])


def root_links() -> dict[str, str]:
    """Return the symbolic links in the root folder, by name, through which programs find the C library."""
    return {name: str(Path(name).readlink()) for name in _ROOT_LINKS if Path(name).is_symlink()}


def check_readable(places: Iterable[Path], *, through_parents: bool) -> None:
    """Raise SandboxUnavailable unless any user may read the places and, if asked, enter the folders above."""
    for place in places:
        if not place.stat().st_mode & stat.S_IROTH:
            raise SandboxUnavailable(
                f"Bots run as a user of their own who may not read {place}: `chmod -R a+rX` it."
            )
        for folder in place.parents if through_parents else ():
            if not folder.stat().st_mode & stat.S_IXOTH:
                raise SandboxUnavailable(
                    f"Bots run as a user of their own who may not enter {folder}, where {place} is: put the "
                    "project and BOT_RUNTIME_DIR where any user may read them."
                )


def _command(python_home: PurePath) -> list[str]:
    return [str(python_home / "bin" / _PYTHON_NAME), "-S", "-s", "-P", "-B", "-W", "ignore"]


def _environment(
    python_home: PurePath, site_packages: PurePath, others: Iterable[PurePath]
) -> dict[str, str]:
    return _ENVIRONMENT | {
        "PYTHONHOME": str(python_home),
        "PYTHONPATH": ":".join(map(str, [site_packages, *others])),
        # LightGBM looks for OpenMP by its plain name; set-up puts one there.
        "LD_LIBRARY_PATH": f"{python_home / 'lib'}:{site_packages / 'openmp.libs'}",
    }


def _folders() -> dict[str, Path]:
    """Return what the jail's home consists of. Raises SandboxUnavailable when set-up has not made it."""
    runtime = Path(settings.BOT_RUNTIME_DIR).resolve()
    for expected in (runtime / "python" / "bin" / _PYTHON_NAME, runtime / "site-packages" / "pandas"):
        if not expected.exists():
            raise SandboxUnavailable(
                f"What bots run on is not in {runtime} ({expected.name} is missing): run `make run` once, "
                "which installs it, or point BOT_RUNTIME_DIR at the folder that holds it."
            )
    return {
        "python": runtime / "python",
        "site-packages": runtime / "site-packages",
        "bot_sdk": Path(bot_sdk.__path__[0]).resolve(),
        "inside": Path(inside.__path__[0]).resolve(),
    }


def _system() -> list[Path]:
    found = [Path(f"/usr/lib/{os.uname().machine}-linux-gnu"), *map(Path, _SYSTEM_PLACES)]
    return [place for place in found if place.exists()]
