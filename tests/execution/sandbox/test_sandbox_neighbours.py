import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from bot_sdk import Action
from execution.sandbox import Run, SandboxUnavailable, Verdict
from execution.sandbox.choice import ENGINES
from execution.sandbox.engine import Engine
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import run_in
from tests.execution.sandbox.jobs import ROOMY, children_in, make_bot, make_frame, make_job, make_limits

BENIGN_RUNS = 60
HOSTILE_LIMITS = make_limits(seconds=2, memory_mb=64)
SUSPECTS_LIMITS = replace(HOSTILE_LIMITS, is_suspect=True)
GRACE_SECONDS = 4.0

BENIGN = make_bot("""
    slow = data["close"].rolling(20).mean().iloc[-1]
    fast = data["close"].ewm(span=5).mean().iloc[-1]
    return Action("BUY" if fast > slow else "SELL", data["close"].iloc[-1], f"{slow:.2f}")
""")
BENIGN_JOB = make_job(BENIGN, frame=make_frame([100.0 + step for step in range(200)]))
BENIGN_ANSWER = Action("BUY", 299.0, "289.50")

_THREADS = """
    import threading, time
    threading.stack_size(64 << 10)
    while True:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""
# TIMED_OUT besides another verdict: where the machine has no time for a suspect
HOSTILE = {
    "fork bomb": (
        make_bot("import ctypes\nwhile True: ctypes.CDLL(None).fork()"),
        {Verdict.FORBIDDEN, Verdict.TIMED_OUT},
    ),
    "memory bomb": (
        make_bot("hoard = []\nwhile True: hoard.append(b'x' * (1 << 20))"),
        {Verdict.OUT_OF_MEMORY, Verdict.TIMED_OUT},
    ),
    "spinner": (make_bot("while True: pass"), {Verdict.TIMED_OUT}),
    "log flood": (make_bot("while True: print('x' * 1000)"), {Verdict.TIMED_OUT}),
    "thread bomb": (make_bot(_THREADS), set(Verdict) - {Verdict.OK, Verdict.UNAVAILABLE}),
    "sleeper": (make_bot("import time; time.sleep(1000)"), {Verdict.TIMED_OUT}),
}


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def nursery(request: pytest.FixtureRequest) -> Iterator[Nursery]:
    engine: Engine = request.param
    try:
        nursery = Nursery(engine, engine.layers())
    except SandboxUnavailable as reason:
        pytest.skip(f"this machine does not offer {engine.name}: {reason}")
    yield nursery
    nursery.close()


@contextmanager
def hostile_neighbours(nursery: Nursery) -> Iterator[list[tuple[str, Run]]]:
    """Run the hostile bots beside the block, and collect how they end.

    As `execution.turns` lets them: all at once, and then, being known for it, again and again in turn, as
    suspects.
    """
    ended: list[tuple[str, Run]] = []
    is_over = threading.Event()
    lane = threading.Lock()

    def repeat(name: str) -> None:
        job = make_job(HOSTILE[name][0])
        ended.append((name, run_in(nursery, job, HOSTILE_LIMITS)))
        while not is_over.is_set():
            with lane:
                ended.append((name, run_in(nursery, job, SUSPECTS_LIMITS)))

    with ThreadPoolExecutor(len(HOSTILE)) as pool, ExitStack() as at_the_end:
        at_the_end.callback(is_over.set)
        threads = [pool.submit(repeat, name) for name in HOSTILE]
        yield ended
        is_over.set()
        for thread in threads:
            thread.result()


def test_hostile_neighbours_disturb_no_run_and_leave_nothing_behind(nursery: Nursery) -> None:
    with nursery.zygote(()) as zygote:
        before = len(children_in(nursery, zygote))
        with hostile_neighbours(nursery) as ended:
            results = [run_in(nursery, BENIGN_JOB, ROOMY) for _ in range(BENIGN_RUNS)]

        assert [(result.verdict, result.action) for result in results] == [
            (Verdict.OK, BENIGN_ANSWER)
        ] * BENIGN_RUNS
        assert {name for name, _ in ended} == HOSTILE.keys()
        for name, run in ended:
            assert run.verdict in HOSTILE[name][1], (name, run)
            assert run.seconds < HOSTILE_LIMITS.seconds + GRACE_SECONDS, (name, run)
        with nursery.zygote(()) as at_last:
            assert at_last is zygote
        assert len(children_in(nursery, zygote)) == before


def test_runs_that_come_while_a_zygote_starts_wait_for_it(nursery: Nursery) -> None:
    job = make_job(make_bot("pass"))

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: run_in(nursery, job, ROOMY), range(12)))

    assert {result.verdict for result in results} == {Verdict.OK}
    with nursery.zygote(()) as zygote:
        assert zygote.runs == 12
