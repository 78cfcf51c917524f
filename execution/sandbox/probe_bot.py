"""The bot of the self-test: it tries what no bot may do, and its reason names what worked."""

import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bot_sdk import Action, CustomBot

_FOLDERS = ("/", "/tmp", "/dev", "/dev/shm", "/run", "/usr", "/runtime", "/runtime/bot_sdk")


class ProbeBot(CustomBot):
    def execute_algorithm(
        self,
        data: pd.DataFrame,
        timeframe: str,  # noqa: ARG002  a bot is given all three
        subscription_config: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Action:
        while self.config["never_answers"]:
            pass
        worked = [name for name, attempt in self._attempts().items() if _works(attempt)]
        worked += [f"write to {folder}" for folder in _FOLDERS if _works(partial(_make_file, folder))]
        worked += [f"see the variable {name}" for name in self.config["variables"] if name in os.environ]
        return Action("HOLD", float(data["close"].iloc[-1]), ", ".join(worked))

    def _attempts(self) -> dict[str, Callable[[], object]]:
        return {
            "read the worker's files": Path(self.config["file"]).read_bytes,
            "see processes": Path("/proc/1").stat,
            "connect to the worker": lambda: socket.create_connection(("127.0.0.1", self.config["port"]), 1),
            "start a process": os.fork,
            "become root": lambda: os.setuid(0),
            "make a namespace": lambda: os.unshare(os.CLONE_NEWUSER),
            "allocate memory beyond the limit": lambda: bytearray(self.config["too_many_bytes"]),
        }


def _make_file(folder: str) -> None:
    tempfile.TemporaryFile(dir=folder).close()


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True
