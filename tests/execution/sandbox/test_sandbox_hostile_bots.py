"""Run every attack in tests/hostile_bots on every engine, and judge by what it touched, not by what it says.

`execution/sandbox/attacks.py` tells what an attack is.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from execution.sandbox import Run
from execution.sandbox.attacks import (
    SECRET,
    VARIABLE,
    Attack,
    Canaries,
    attempt,
    gain_of,
    read_attack,
    set_out,
)
from execution.sandbox.choice import ENGINES
from execution.sandbox.engine import Engine
from execution.sandbox.nursery import Nursery

FOLDER = Path(__file__).parents[2] / "hostile_bots"
ATTACKS = {path.stem: read_attack(path) for path in sorted(FOLDER.glob("*.py"))}
HARMLESS = [name for name, attack in ATTACKS.items() if attack.is_harmless_outside]

UNCONFINED = """
import json, pathlib, sys
from bot_sdk.bot_file import load_bot_class
for path, runs in json.loads(sys.argv[2]):
    for _ in range(runs):
        bot = load_bot_class(pathlib.Path(path))(json.loads(sys.argv[1]), {})
        reason = bot.execute_algorithm(None, "1h", {}).reason
    print(reason)
"""

Outcome = tuple[dict[str, list[Run]], Canaries]


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    """All attacks on one engine, and what they were after."""
    engine: Engine = request.param
    with (
        set_out() as canaries,
        closing(Nursery(engine, engine.layers())) as nursery,
        ThreadPoolExecutor(4) as pool,
    ):
        runs = pool.map(lambda attack: attempt(nursery, attack, canaries), ATTACKS.values())
        yield dict(zip(ATTACKS, runs, strict=True)), canaries


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=lambda attack: attack.name)
def test_an_attack_ends_in_its_verdict_and_gains_nothing(attack: Attack, outcome: Outcome) -> None:
    runs = outcome[0][attack.name]

    assert len(runs) == attack.runs
    assert not gain_of(runs)
    for run in runs:
        assert run.verdict in attack.expected, run
        assert run.action is None or run.action.action == "HOLD", run


def test_no_attack_touched_a_canary(outcome: Outcome) -> None:
    assert not outcome[1].were_touched()


@pytest.mark.parametrize("name", HARMLESS)
def test_without_confinement_the_same_attack_gets_what_it_wants(name: str) -> None:
    with set_out() as canaries:
        command = [sys.executable, "-c", UNCONFINED, json.dumps(canaries.config)]
        attack = [[str(FOLDER / f"{name}.py"), ATTACKS[name].runs]]
        outcome = subprocess.run(
            [*command, json.dumps(attack)],
            env=os.environ | {VARIABLE: SECRET},
            capture_output=True,
            text=True,
            check=True,
        )

        assert outcome.stdout.startswith("ESCAPED"), outcome
        assert canaries.were_touched() == name.startswith(("network_tcp", "network_datagram"))
        assert (SECRET in outcome.stdout) == name.startswith(("files_read_canary", "secrets_environment"))
