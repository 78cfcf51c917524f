import socket
import stat
from pathlib import Path

from deploy.local import env
from deploy.local.ports import HOST


def test_settings_are_made_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "state" / "env"

    first = env.load(file)

    assert env.load(file) == first
    assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "DEMO_PASSWORD"} <= first.keys()


def test_a_setting_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("SECRET_KEY=kept\nDEMO=false\n")

    loaded = env.load(file)

    assert (loaded["SECRET_KEY"], loaded["DEMO"]) == ("kept", "false")
    assert env.load(file)["DATABASE_URL"] == loaded["DATABASE_URL"]


def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    one, other = env.load(tmp_path / "one"), env.load(tmp_path / "other")

    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "DEMO_PASSWORD"):
        assert one[name] != other[name]


def test_only_the_owner_reads_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "env"

    env.load(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_port_that_somebody_took_is_replaced() -> None:
    with socket.create_server((HOST, 0)) as taken:
        url = f"postgres://user:secret@{HOST}:{taken.getsockname()[1]}/name"

        replaced = env.with_free_port(url)

    assert replaced != url
    assert replaced.startswith(f"postgres://user:secret@{HOST}:")
    assert replaced.endswith("/name")


def test_a_free_port_is_kept() -> None:
    with socket.create_server((HOST, 0)) as once:
        url = f"redis://:secret@{HOST}:{once.getsockname()[1]}/0"

    assert env.with_free_port(url) == url
