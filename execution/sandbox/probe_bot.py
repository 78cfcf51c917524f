"""The bot of the self-test: it tries what no bot may do, and its reason names what worked.

Without a doorman a run finds no module, so it imports only what every zygote has loaded.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bot_sdk import Action, CustomBot

_FOLDERS = ("/", "/tmp", "/dev", "/dev/shm", "/run", "/usr", "/runtime", "/runtime/bot_sdk")
_libc = ctypes.CDLL(None, use_errno=True)
# Past Python's own functions: each of these ends the process, or else has worked.
_CALLS: Mapping[str, Callable[[], int]] = {
    "open a socket": lambda: _libc.socket(2, 1, 0),
    "start a process": _libc.fork,
    "start a program": lambda: _libc.execve(b"/bin/true", None, None),
    "become root": lambda: _libc.setuid(0),
    "make a namespace": lambda: _libc.unshare(os.CLONE_NEWUSER),
    "trace a process": lambda: _libc.ptrace(0, 0, 0, 0),
    "signal a process": lambda: _libc.kill(-1, 0),
}


class ProbeBot(CustomBot):
    def execute_algorithm(
        self,
        data: pd.DataFrame,
        timeframe: str,  # noqa: ARG002  a bot is given all three
        subscription_config: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Action:
        Path(os.__file__).read_bytes()  # the one thing that has to work
        while self.config["never_answers"]:
            pass
        if self.config["call"]:
            _CALLS[self.config["call"]]()
            return Action("BUY", 1.0, self.config["call"])
        worked = [name for name, attempt in self._attempts().items() if _works(attempt)]
        worked += [f"write to {folder}" for folder in _FOLDERS if _works(partial(_make_file, folder))]
        worked += [f"see the variable {name}" for name in self.config["variables"] if name in os.environ]
        return Action("HOLD", float(data["close"].iloc[-1]), ", ".join(worked))

    def _attempts(self) -> dict[str, Callable[[], object]]:
        file = Path(self.config["file"])
        attempts: dict[str, Callable[[], object]] = {
            "read the worker's files": file.read_bytes,
            "read the user table": Path("/etc/passwd").read_bytes,
            "see processes": lambda: os.listdir("/proc"),
            "allocate memory beyond the limit": lambda: bytearray(self.config["too_many_bytes"]),
        }
        if self.config["can_list_nothing"]:  # namespaces alone would show an empty machine
            attempts["look around"] = lambda: os.listdir("/")
        if self.config["can_tell_nothing"]:
            attempts["tell that the worker's files exist"] = file.stat
        return attempts


def _make_file(folder: str) -> None:
    file = Path(folder, "written-by-the-self-test")
    file.write_bytes(b"")
    with contextlib.suppress(OSError):
        file.unlink()


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True
