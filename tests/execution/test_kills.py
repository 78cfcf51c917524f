"""Whatever is killed when, an order reaches the exchange at most once and none is lost: I2 and I3."""

import gc
import itertools
import math
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from exchanges import gateway, gateways, rate_budget
from execution import settling
from tests.exchanges.simulated import Simulator
from tests.execution.kill_harness import (
    FAULTS,
    LATEST_LANDING_SECONDS,
    ORDER_PATHS,
    Shift,
    Tally,
    Ward,
    clean_up,
    place,
    place_before_writing_down,
    simulator_beside,
)
from tests.execution.proof import new_seed

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

EXCHANGES = tuple(ORDER_PATHS)
FENCE = timedelta(seconds=LATEST_LANDING_SECONDS + 0.6)  # what is left is for a busy machine
BROKEN = 0.5  # of the orders
KILLED_AT_A_MOMENT = 0.2  # of the workers; the others die at a step
DELIVERED_AGAIN = 0.3  # of the messages
LANDS_LATE_SECONDS = 2.5  # later than whoever asks at once has been told twice; Binance takes it up to 3


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    connections.close_all()
    with simulator_beside() as simulator:
        yield simulator


@pytest.fixture
def ward(
    request: pytest.FixtureRequest,
    simulator: Simulator,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Ward]:
    settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", simulator.url
    settings.EXCHANGE_TESTNET_MODE = False
    scale_down(monkeypatch, FENCE)
    gateways.public_gateway.cache_clear()
    yield Ward(simulator, request.param, tmp_path, random.Random(new_seed()))
    gateways.public_gateway.cache_clear()
    gc.unfreeze()


def scale_down(monkeypatch: pytest.MonkeyPatch, fence: timedelta) -> None:
    """Let tenths of a second stand for what takes seconds."""
    for exchange in EXCHANGES:
        monkeypatch.setitem(gateway.ARRIVES_WITHIN, exchange, fence)
    monkeypatch.setattr(settling, "BETWEEN_LOOKS", fence / 10)
    monkeypatch.setattr(rate_budget, "NONCE_LOCK_SECONDS", 0.3)  # of a dead worker at Kraken


def kill_many(ward: Ward, kills: int, accounts: int) -> Tally:
    """Place orders and kill who places them, and who cleans up, until so many have died."""
    tally = ward.tally
    ward.open_accounts(accounts)
    ward.warm_up()
    started = time.monotonic()
    steps = ward.steps_of(partial(place, ward.jobs()[0]))
    longest = time.monotonic() - started
    ward.run([Shift(partial(place, ward.jobs()[0]), len(steps) // 2)])
    cleaning = ward.steps_of(partial(clean_up, settling.places()))
    ward.recover()
    numbers = list(range(1, len(steps) + 1))
    ward.rng.shuffle(numbers)
    die_at = itertools.cycle(numbers)
    started = time.monotonic()
    while tally.kills < kills:
        ward.run(shifts_of(ward, die_at, longest))
        ward.break_next_order(None)
        ward.recover(len(cleaning))
    tally.seconds = time.monotonic() - started
    ward.compare_books()
    print(ward.exchange, tally)
    return tally


def shifts_of(ward: Ward, die_at: Iterator[int], longest: float) -> Iterator[Shift]:
    """Give each account's worker its death, and its exchange its trouble; some messages come twice."""
    rng = ward.rng
    for job in ward.jobs():
        ward.tally.jobs += 1
        ward.break_next_order(rng.choice(FAULTS) if rng.random() < BROKEN else None)
        deed = partial(place, job)
        if rng.random() < KILLED_AT_A_MOMENT:
            yield Shift(deed, die_after=rng.uniform(0, longest))
        else:
            yield Shift(deed, next(die_at))
        if rng.random() < DELIVERED_AGAIN:
            yield Shift(deed, die_after=rng.choice([math.inf, rng.uniform(0, longest)]))


@pytest.mark.parametrize("ward", EXCHANGES, indirect=True)
def test_no_kill_makes_a_second_order_or_loses_one(ward: Ward) -> None:
    tally = kill_many(ward, kills=334, accounts=20)

    assert tally.breaches == {}


@pytest.mark.release
@pytest.mark.parametrize("ward", EXCHANGES, indirect=True)
def test_no_kill_of_thousands_makes_a_second_order_or_loses_one(ward: Ward) -> None:
    tally = kill_many(ward, kills=2_000, accounts=40)

    assert tally.breaches == {}
    request = ORDER_PATHS[ward.exchange]
    for step in ("before INSERT execution_order", "before INSERT execution_fill", "after a commit"):
        assert tally.died_at[step], step
    for step in (f"before {request}", f"left: {request}", f"answered: {request}"):
        assert tally.died_at[step], step


@pytest.mark.parametrize("ward", ["BINANCE", "KRAKEN"], indirect=True)
def test_sending_before_writing_down_doubles_orders(ward: Ward) -> None:
    """The control arm of I2: what is not written down when its worker dies is sent again."""
    ward.open_accounts(15)
    ward.warm_up()
    steps = ward.steps_of(partial(place_before_writing_down, ward.jobs()[0]))
    jobs = ward.jobs()
    deaths = [1 + number * len(steps) // len(jobs) for number in range(len(jobs))]
    naive = [partial(place_before_writing_down, job) for job in jobs]

    ward.tally.jobs = len(jobs)
    ward.run(Shift(deed, die_at) for deed, die_at in zip(naive, deaths, strict=True))
    ward.run(Shift(deed) for deed in naive)

    tally = ward.compare_books()
    print(ward.exchange, "sent before it is written down:", tally)
    assert tally.duplicates >= len(jobs) / 5


@pytest.mark.parametrize("ward", ["BINANCE"], indirect=True)
@pytest.mark.parametrize("fence_seconds", [0, 3])
def test_only_the_fence_keeps_late_orders_from_being_lost(
    ward: Ward, fence_seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control arm of I3: who asks at once whether it came is told that it did not."""
    scale_down(monkeypatch, timedelta(seconds=fence_seconds))
    ward.open_accounts(10)
    ward.warm_up()
    has_left = f"left: {ORDER_PATHS[ward.exchange]}"
    killed = 0
    # one by one, since on a busy machine whoever cleans up after many comes when the orders have landed
    for number in range(1 if fence_seconds else 10):
        jobs = ward.jobs() if fence_seconds else [ward.jobs()[number]]
        ward.tally.jobs += len(jobs)
        ward.break_next_order({"kind": "late", "times": len(jobs), "seconds": LANDS_LATE_SECONDS})
        killed += ward.run([Shift(partial(place, job), has_left) for job in jobs])
        ward.recover()
    time.sleep(LANDS_LATE_SECONDS + 0.5)

    tally = ward.compare_books()
    print(ward.exchange, f"fence of {fence_seconds} s:", tally)
    assert killed > 0  # a busy machine may send some of them too late
    assert tally.orphans == 0 if fence_seconds else tally.orphans > 0
