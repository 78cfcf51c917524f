"""What a bot finds in its jail: an interpreter, the bots' libraries, the SDK, the C library. Nothing else.

The interpreter is the one below this process's virtual environment. All of it is bound read-only.
"""

import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.conf import settings

import bot_sdk
from execution.sandbox import inside
from execution.sandbox.errors import SandboxUnavailable

HOME = PurePosixPath("/runtime")
_PYTHON_HOME = HOME / "python"
_SITE_PACKAGES = HOME / "site-packages"
_PYTHON_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = _PYTHON_HOME / "bin" / _PYTHON_NAME

# Prefixes that an interpreter shares with the rest of the machine: only its own files are bound from there.
_SHARED_PREFIXES = (Path("/usr"), Path("/usr/local"))
# The C library lies in a folder named for the machine, or else in lib64; aarch64 has its loader apart.
_SYSTEM_PLACES = ("/usr/lib64", "/usr/lib/ld-linux-aarch64.so.1", "/usr/share/zoneinfo")
_ROOT_LINKS = ("/lib", "/lib64")

ENVIRONMENT = {
    "PYTHONHOME": str(_PYTHON_HOME),
    "PYTHONPATH": f"{HOME}:{_SITE_PACKAGES}",
    "PYTHONHASHSEED": "0",
    "LD_LIBRARY_PATH": str(_PYTHON_HOME / "lib"),
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/nonexistent",
    # One thread per run: bots share the machine, and what they compute must not depend on its cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # Each arena reserves address space that would count as the bot's memory.
    "MALLOC_ARENA_MAX": "1",
    # joblib warns on import when it cannot make semaphores.
    "JOBLIB_MULTIPROCESSING": "0",
    # numba wants to write a cache and fails to import where it cannot.
    "NUMBA_DISABLE_JIT": "1",
}


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of this machine and where the jail has it."""

    source: Path
    target: PurePosixPath


def binds() -> list[Bind]:
    """Return all that is bound into the jail. Raises SandboxUnavailable without the bots' libraries."""
    site_packages = Path(settings.BOT_RUNTIME_DIR) / "site-packages"
    if not (site_packages / "pandas").is_dir():
        raise SandboxUnavailable(
            f"The libraries that bots run on are not in {site_packages}: run `make run` once, which installs "
            "them, or point BOT_RUNTIME_DIR at the folder that holds them."
        )
    return [
        *_system(),
        *_interpreter(),
        Bind(site_packages.resolve(), _SITE_PACKAGES),
        Bind(Path(bot_sdk.__path__[0]).resolve(), HOME / "bot_sdk"),
        Bind(Path(inside.__path__[0]).resolve(), HOME / "inside"),
    ]


def hidden_folders() -> list[PurePosixPath]:
    """Return folders that come along with the interpreter and are shown empty: other people's packages."""
    packages = Path(sysconfig.get_path("stdlib"), "site-packages")
    return [_in_python_home(packages)] if packages.is_dir() else []


def root_links() -> dict[str, str]:
    """Return the symbolic links in the root folder, by name, through which programs find the C library."""
    return {name: str(Path(name).readlink()) for name in _ROOT_LINKS if Path(name).is_symlink()}


def _system() -> list[Bind]:
    places = [f"/usr/lib/{os.uname().machine}-linux-gnu", *_SYSTEM_PLACES]
    return [Bind(Path(place), PurePosixPath(place)) for place in places if Path(place).exists()]


def _interpreter() -> list[Bind]:
    prefix = Path(sys.base_prefix)
    if prefix not in _SHARED_PREFIXES:
        return [Bind(prefix, _PYTHON_HOME)]
    pieces = [prefix / "bin" / _PYTHON_NAME, Path(sysconfig.get_path("stdlib"))]
    shared_library = prefix / "lib" / str(sysconfig.get_config_var("INSTSONAME"))
    if shared_library.is_file():
        pieces.append(shared_library)
    return [Bind(piece, _in_python_home(piece)) for piece in pieces]


def _in_python_home(path: Path) -> PurePosixPath:
    return _PYTHON_HOME / path.relative_to(sys.base_prefix)
