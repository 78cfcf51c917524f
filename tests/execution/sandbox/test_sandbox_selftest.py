import logging
import os
import subprocess
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from execution.sandbox import SandboxUnavailable, prove
from execution.sandbox.bubblewrap import Bubblewrap, find_bubblewrap
from execution.sandbox.choice import ENGINES
from execution.sandbox.engine import Engine
from execution.sandbox.inside.options import Layer
from execution.sandbox.inside.policy import DOOR_POLICY, UNKNOWN, Policy, run_policy, zygote_policy
from execution.sandbox.inside.seccomp import compile_policy
from execution.sandbox.landlock import Landlock
from execution.sandbox.process import WatchedProcess
from execution.sandbox.selftest import check_rights, prove_engine


def put_on_path(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `script` the machine's bwrap."""
    bwrap = folder / "bwrap"
    bwrap.write_text(f"#!/bin/sh\n{script}\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.fixture
def bubblewrap_only(settings: Settings) -> None:
    settings.BOT_SANDBOX_ENGINE = "bubblewrap"


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_this_machine_confines_bots(engine: Engine, settings: Settings) -> None:
    settings.BOT_SANDBOX_ENGINE = engine.name

    assert prove() is engine


# Landlock would cover up for the holes.
NAMESPACES_ALONE = tuple(layer for layer in Bubblewrap().layers() if layer != Layer.LANDLOCK)


def test_a_jail_with_a_hole_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_on_path(tmp_path, f'exec {find_bubblewrap()} --bind /tmp /tmp "$@"', monkeypatch)

    with pytest.raises(SandboxUnavailable, match="could read the worker's files"):
        prove_engine(Bubblewrap(), NAMESPACES_ALONE)


def test_a_jail_that_lets_a_variable_through_is_found_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    last = "--setenv DATABASE_URL x"
    put_on_path(
        tmp_path,
        f'n=$#; while [ $n -gt 0 ]; do a=$1; shift; [ "$a" = -- ] && set -- "$@" {last}\n'
        f'set -- "$@" "$a"; n=$((n-1)); done; exec {find_bubblewrap()} "$@"',
        monkeypatch,
    )

    with pytest.raises(SandboxUnavailable, match="could see the variable DATABASE_URL"):
        prove_engine(Bubblewrap(), Bubblewrap().layers())


def test_a_process_with_rights_is_found_out() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        process = WatchedProcess(os.pidfd_open(sleeper.pid))
        with pytest.raises(SandboxUnavailable, match="too many rights.*'Seccomp': '2'"):
            check_rights(process, tuple(Layer))
        process.kill()
        process.close()


def test_a_machine_that_forbids_namespaces_is_told_what_to_do(
    bubblewrap_only: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_on_path(tmp_path, "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", monkeypatch)

    with pytest.raises(SandboxUnavailable, match="uid map: Permission denied.*AppArmor.*containers.*macOS"):
        prove()


def test_a_bwrap_that_cannot_run_is_told(
    bubblewrap_only: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_on_path(tmp_path, "", monkeypatch)
    (tmp_path / "bwrap").write_bytes(b"\x7fELF, but broken")

    with pytest.raises(SandboxUnavailable, match="zygote cannot be started"):
        prove()


def test_missing_libraries_are_told(settings: Settings, tmp_path: Path) -> None:
    settings.BOT_RUNTIME_DIR = tmp_path

    with pytest.raises(SandboxUnavailable, match="run `make run` once.*run `make run` once"):
        prove()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "policy",
    [
        run_policy(has_namespaces=True, has_doorman=False),
        run_policy(has_namespaces=False, has_doorman=False),
        DOOR_POLICY,
        zygote_policy(has_doorman=True),
    ],
)
def test_the_filters_fit_the_kernels_limits(policy: Policy, machine: str) -> None:
    program = compile_policy(policy, UNKNOWN, machine)

    instructions, rest = divmod(len(program), 8)
    assert rest == 0
    assert len(policy) / 2 < instructions <= 4096


def test_a_machine_without_a_table_gets_no_filter() -> None:
    with pytest.raises(KeyError, match="riscv64"):
        compile_policy(DOOR_POLICY, UNKNOWN, "riscv64")


WALLS = tuple(layer for layer in Layer if layer not in (Layer.NAMESPACES, Layer.DOORMAN))


@pytest.mark.parametrize(
    ("engine", "missing"),
    [
        # what hides files there is the file system of its own
        *((Bubblewrap(), layer) for layer in WALLS if layer != Layer.LANDLOCK),
        # without namespaces nothing has rights to drop
        *(
            (Landlock(), layer)
            for layer in (*WALLS, Layer.DOORMAN)
            if layer not in (Layer.RIGHTS, Layer.PROCESS_FILTER)
        ),
    ],
)
def test_an_engine_without_one_of_its_walls_is_found_out(engine: Engine, missing: Layer) -> None:
    layers = tuple(layer for layer in engine.layers() if layer != missing)

    with pytest.raises(SandboxUnavailable):
        prove_engine(engine, layers)


def test_falling_back_to_the_second_engine_is_said_aloud(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put_on_path(tmp_path, "echo 'bwrap: No permissions' >&2; exit 1", monkeypatch)
    logger = logging.getLogger(
        "execution.sandbox.choice"
    )  # which a worker in an earlier test has set up anew
    monkeypatch.setattr(logger, "disabled", False)
    caplog.set_level(logging.WARNING, logger=logger.name)
    monkeypatch.setattr(logger, "handlers", [caplog.handler])

    assert prove().name == "landlock"
    assert "Bots run under landlock, since not under bubblewrap" in caplog.text


def test_a_pinned_engine_is_never_replaced(
    bubblewrap_only: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_on_path(tmp_path, "exit 1", monkeypatch)

    with pytest.raises(SandboxUnavailable) as refusal:
        prove()

    assert "landlock:" not in str(refusal.value)
