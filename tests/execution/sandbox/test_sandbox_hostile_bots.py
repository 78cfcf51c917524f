"""Run every attack in tests/hostile_bots confined, and judge by what it touched, not by what it says.

An attack's first line names the verdicts that it may end in, its second the category; "harmless outside"
means that the control arm may run it without a jail. Its config tells where a file with a secret is, which
variable holds the secret, and which port listens. An attack that gets what it wants answers BUY with a reason
that begins with ESCAPED.
"""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from execution.sandbox import Run, run
from tests.execution.sandbox.jobs import make_job, make_limits

FOLDER = Path(__file__).parents[2] / "hostile_bots"
ATTACKS = sorted(path.stem for path in FOLDER.glob("*.py"))
SECRET = "canary-5f1c"
VARIABLE = "MARKETPLACE_CANARY"
LIMITS = make_limits(seconds=3, memory_mb=128)

UNCONFINED = """
import json, pathlib, sys
from bot_sdk.bot_file import load_bot_class
bot = load_bot_class(pathlib.Path(sys.argv[1]))(json.loads(sys.argv[2]), {})
print(bot.execute_algorithm(None, "1h", {}).reason)
"""


def header(attack: str, line: int) -> str:
    return (FOLDER / f"{attack}.py").read_text().splitlines()[line].partition(": ")[2]


HARMLESS = [attack for attack in ATTACKS if header(attack, 1).endswith("; harmless outside")]


@dataclass(frozen=True)
class Canaries:
    """What an attack is after. `config` tells it where to look."""

    file: Path
    streams: socket.socket
    datagrams: socket.socket

    @property
    def config(self) -> dict[str, object]:
        port = self.streams.getsockname()[1]
        return {"canary_file": str(self.file), "canary_variable": VARIABLE, "port": port}

    def were_contacted(self) -> bool:
        poll = select.poll()
        poll.register(self.streams, select.POLLIN)
        poll.register(self.datagrams, select.POLLIN)
        return bool(poll.poll(0))


@contextmanager
def set_out() -> Iterator[Canaries]:
    with (
        NamedTemporaryFile("w") as file,
        socket.create_server(("127.0.0.1", 0)) as streams,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        file.write(SECRET)
        file.flush()
        Path(file.name).chmod(0o644)
        datagrams.bind(streams.getsockname())
        yield Canaries(Path(file.name), streams, datagrams)


@pytest.fixture(scope="module")
def canaries() -> Iterator[Canaries]:
    with pytest.MonkeyPatch.context() as environment, set_out() as found:
        environment.setenv(VARIABLE, SECRET)
        yield found


@pytest.fixture(scope="module")
def runs(canaries: Canaries) -> dict[str, Run]:
    def attack(name: str) -> Run:
        return run(make_job((FOLDER / f"{name}.py").read_text(), config=canaries.config), LIMITS)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(ATTACKS, pool.map(attack, ATTACKS), strict=True))


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_in_its_verdict_and_gains_nothing(attack: str, runs: dict[str, Run]) -> None:
    result = runs[attack]

    assert result.verdict in header(attack, 0).split("|"), result
    assert result.action is None or result.action.action == "HOLD", result
    assert "ESCAPED" not in repr(result)
    assert SECRET not in repr(result)
    assert result.seconds <= LIMITS.seconds + 2


def test_no_attack_reached_the_worker(canaries: Canaries, runs: dict[str, Run]) -> None:
    assert not canaries.were_contacted()
    assert canaries.file.read_text() == SECRET
    assert os.environ[VARIABLE] == SECRET


@pytest.mark.parametrize("attack", HARMLESS)
def test_without_a_jail_the_same_attack_gets_what_it_wants(attack: str) -> None:
    with set_out() as targets:
        outcome = subprocess.run(
            [sys.executable, "-c", UNCONFINED, str(FOLDER / f"{attack}.py"), json.dumps(targets.config)],
            env=os.environ | {VARIABLE: SECRET},
            capture_output=True,
            text=True,
            check=True,
        )

        assert outcome.stdout.startswith("ESCAPED"), outcome
        assert targets.were_contacted() == attack.startswith(("network_tcp", "network_datagram"))
        assert (SECRET in outcome.stdout) == attack.startswith(("files_read_canary", "secrets_environment"))
