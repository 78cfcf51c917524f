"""Leave out one wall of an engine at a time, and judge all attacks by what they gain then.

Namespaces are left out by the engine landlock, which has none, and has a doorman for it.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from execution.sandbox import Run, SandboxUnavailable, Verdict
from execution.sandbox.attacks import Attack, attempt, gain_of, set_out
from execution.sandbox.choice import ENGINES
from execution.sandbox.engine import Engine, Layers
from execution.sandbox.inside.options import Layer
from execution.sandbox.nursery import Nursery
from tests.execution.sandbox.test_sandbox_hostile_bots import ATTACKS

WALLS = [
    (engine, layer)
    for engine in ENGINES
    for layer in Layer
    if layer != Layer.NAMESPACES
    and (engine.name, layer) not in {("bubblewrap", Layer.DOORMAN), ("landlock", Layer.PROCESS_FILTER)}
]
AT_ONCE = 8
EVERY = 12  # of the attacks of a category, in the short run


def some_attacks() -> set[str]:
    """Two or more attacks of each category, and all of those that nothing but filters hold."""
    chosen = {"processes_clone", "processes_fork_by_number", "processes_handle", "processes_tell_numbers"}
    chosen |= {name for name in ATTACKS if name.startswith("files_tell_names")}
    for category in {attack.category for attack in ATTACKS.values()}:
        names = [name for name, attack in ATTACKS.items() if attack.category == category]
        chosen |= {*names[:: min(EVERY, len(names) - 1)]}
    return chosen


def got_something(runs: list[Run]) -> bool:
    """Whether the attack gained, or had a wish that the platform follows, or took the zygote along."""
    wishes = {run.action.action for run in runs if run.action is not None}
    return (
        bool(gain_of(runs))
        or bool(wishes - {"HOLD"})
        or any(run.verdict == Verdict.UNAVAILABLE for run in runs)
    )


def layers_without(engine: Engine, missing: Layer) -> Layers:
    try:
        layers = engine.layers()
    except SandboxUnavailable as reason:
        pytest.skip(f"this machine does not offer {engine.name}: {reason}")
    if missing not in layers:
        pytest.skip(f"{engine.name} has no {missing} on this machine")
    if (engine.name, missing) == ("landlock", Layer.RUN_FILTER) and os.geteuid() != 0:
        pytest.skip("an unfiltered run would be of the tests' own user, whose processes it could signal")
    return tuple(layer for layer in layers if layer != missing)


def gains_without(engine: Engine, missing: Layer, attacks: Iterable[Attack]) -> set[str]:
    """Return the names of the attacks that get something when this one wall is missing."""
    layers = layers_without(engine, missing)
    attacks = list(attacks)
    with (
        set_out() as canaries,
        closing(Nursery(engine, layers)) as nursery,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        with nursery.zygote(()):
            pass
        runs = list(pool.map(lambda attack: attempt(nursery, attack, canaries), attacks))
        assert not canaries.were_touched()
    return {attack.name for attack, its_runs in zip(attacks, runs, strict=True) if got_something(its_runs)}


@pytest.mark.parametrize(("engine", "missing"), WALLS, ids=lambda value: getattr(value, "name", None))
def test_without_one_wall_the_others_stop_an_attack_of_each_kind(engine: Engine, missing: Layer) -> None:
    attacks = [ATTACKS[name] for name in sorted(some_attacks())]

    gains = gains_without(engine, missing, attacks)

    assert not gains


@pytest.mark.release
@pytest.mark.parametrize(("engine", "missing"), WALLS, ids=lambda value: getattr(value, "name", None))
def test_without_one_wall_the_others_stop_every_attack(engine: Engine, missing: Layer) -> None:
    gains = gains_without(engine, missing, ATTACKS.values())

    assert not gains


def test_the_short_run_has_two_attacks_of_each_category() -> None:
    chosen = [ATTACKS[name].category for name in some_attacks()]

    assert all(chosen.count(attack.category) >= 2 for attack in ATTACKS.values())
