"""What an honest bot's run takes while hostile ones burn, hoard, flood and fork beside it, on each engine.

From the order for a process to the verdict, as a trader waits for it.
"""

import time
from contextlib import closing
from statistics import quantiles

from execution.sandbox import SandboxUnavailable
from execution.sandbox.choice import ENGINES
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import run_in
from tests.execution.sandbox.jobs import ROOMY
from tests.execution.sandbox.test_sandbox_neighbours import (
    BENIGN_JOB,
    BENIGN_RUNS,
    HOSTILE,
    hostile_neighbours,
)


def report() -> None:
    print(f"ms for an honest run, alone and beside {len(HOSTILE)} hostile ones (of {BENIGN_RUNS} each)\n")
    print("engine       p50 alone   p95 alone   p50 beside   p95 beside   p95 ratio")
    for engine in ENGINES:
        try:
            layers = engine.layers()
        except SandboxUnavailable as reason:
            print(f"{engine.name:10}   {reason}")
            continue
        with closing(Nursery(engine, layers)) as nursery, nursery.zygote(()):
            alone = milliseconds_of_runs(nursery)
            with hostile_neighbours(nursery):
                beside = milliseconds_of_runs(nursery)
        print(
            f"{engine.name:10}   {p50(alone):9.0f}   {p95(alone):9.0f}   {p50(beside):10.0f}   "
            f"{p95(beside):10.0f}   {p95(beside) / p95(alone):9.1f}"
        )
    print()


def milliseconds_of_runs(nursery: Nursery) -> list[float]:
    """Return what each of a row of honest runs took, after one that nobody counts."""
    run_in(nursery, BENIGN_JOB, ROOMY)
    return [_milliseconds_of_one(nursery) for _ in range(BENIGN_RUNS)]


def p50(values: list[float]) -> float:
    return quantiles(values, n=20)[9]


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[18]


def _milliseconds_of_one(nursery: Nursery) -> float:
    start = time.perf_counter()
    verdict = run_in(nursery, BENIGN_JOB, ROOMY).verdict
    seconds = time.perf_counter() - start
    if verdict != "OK":
        raise SystemExit(f"An honest run ended {verdict}; the figure would mean nothing.")
    return seconds * 1000
