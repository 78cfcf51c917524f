import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import redis

from deploy.local import env
from deploy.local.postgres import Postgres, PostgresFailed, is_reachable, reachable_folder
from deploy.local.valkey import Valkey


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def url() -> str:
    return env.fresh_settings()["DATABASE_URL"]


def test_postgres_answers_who_knows_the_password_and_nobody_else(folder: Path, url: str) -> None:
    server = Postgres(url, folder / "postgres", folder / "log", is_throwaway=True)
    server.start()
    try:
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
            assert connection.execute("SHOW is_superuser").fetchone() == ("off",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace("marketplace:", "marketplace:x", 1))
    finally:
        server.stop()


def test_postgres_keeps_its_data_when_it_is_killed(folder: Path, url: str) -> None:
    server = Postgres(url, folder / "postgres", folder / "log")
    process = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # After a restart of the machine, some other program has the number that the lock names.
    lock = folder / "postgres" / "data" / "postmaster.pid"
    lock.write_text(lock.read_text().replace(str(process.pid), str(os.getpid()), 1))

    again = Postgres(url, folder / "postgres", folder / "log")
    again.start()
    try:
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    finally:
        again.stop()


def test_data_of_another_password_are_named(folder: Path, url: str) -> None:
    server = Postgres(url, folder / "postgres", folder / "log", is_throwaway=True)
    server.start()
    server.stop()

    stranger = Postgres(url.replace("marketplace:", "marketplace:x", 1), folder / "postgres", folder / "log")

    with pytest.raises(PostgresFailed, match=f"{folder}/postgres/data were made with another password"):
        stranger.start()


def test_valkey_asks_for_its_password(folder: Path) -> None:
    url = env.fresh_settings()["REDIS_URL"]
    server = Valkey(url, folder / "valkey", folder / "log")
    server.start()
    try:
        with redis.Redis.from_url(url) as client:
            assert client.ping()
        stranger = redis.Redis.from_url(f"redis://{url.rpartition('@')[2]}")
        with stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        server.stop()


def test_a_folder_below_a_private_one_is_replaced_for_other_users(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)

    assert is_reachable(folder)
    assert reachable_folder(folder / "postgres") == folder / "postgres"
    assert reachable_folder(private / "postgres").is_relative_to("/var/lib/bot-marketplace")
    assert reachable_folder(private / "postgres") != reachable_folder(private / "other" / "postgres")
