import subprocess
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from execution.sandbox import SandboxUnavailable, prove
from execution.sandbox.bubblewrap import find_bubblewrap
from execution.sandbox.inside.seccomp import FORBIDDEN_CALLS, filter_program
from execution.sandbox.process import WatchedProcess
from execution.sandbox.selftest import check_rights


def put_on_path(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `script` the machine's bwrap."""
    bwrap = folder / "bwrap"
    bwrap.write_text(f"#!/bin/sh\n{script}\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_this_machine_confines_bots() -> None:
    prove()


def test_a_jail_with_a_hole_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_on_path(tmp_path, f'exec {find_bubblewrap()} --bind /tmp /tmp "$@"', monkeypatch)

    with pytest.raises(SandboxUnavailable, match="could read the worker's files, write to /tmp"):
        prove()


def test_a_jail_that_lets_a_variable_through_is_found_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = find_bubblewrap()
    put_on_path(
        tmp_path, f'exec {real} $(echo "$@" | /bin/sed "s/ -- / --setenv DATABASE_URL x -- /")', monkeypatch
    )

    with pytest.raises(SandboxUnavailable, match="could see the variable DATABASE_URL"):
        prove()


def test_a_process_with_rights_is_found_out() -> None:
    with (
        subprocess.Popen(["sleep", "60"]) as sleeper,
        WatchedProcess(sleeper.pid) as process,
        pytest.raises(SandboxUnavailable, match="too many rights.*'Seccomp': '2'"),
    ):
        check_rights(process)


def test_a_machine_that_forbids_namespaces_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_on_path(tmp_path, "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", monkeypatch)

    with pytest.raises(SandboxUnavailable, match="uid map: Permission denied.*AppArmor.*containers.*macOS"):
        prove()


def test_a_bwrap_that_cannot_run_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_on_path(tmp_path, "", monkeypatch)
    (tmp_path / "bwrap").write_bytes(b"\x7fELF, but broken")

    with pytest.raises(SandboxUnavailable, match="bubblewrap cannot be started"):
        prove()


def test_missing_libraries_are_told(settings: Settings, tmp_path: Path) -> None:
    settings.BOT_RUNTIME_DIR = tmp_path

    with pytest.raises(SandboxUnavailable, match="run `make run` once"):
        prove()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_fits_the_kernels_limits(machine: str) -> None:
    program = filter_program(machine)

    instructions, rest = divmod(len(program), 8)
    assert rest == 0
    assert len(FORBIDDEN_CALLS) < instructions <= 4096


def test_a_machine_without_a_table_gets_no_filter() -> None:
    with pytest.raises(KeyError, match="riscv64"):
        filter_program("riscv64")
