"""Many processes at an exchange that counts: with the shared budget nobody is told off, without it many."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.exchanges.simulated import Simulator, simulating

PROCESSES = 3
CALLS = {"BINANCE": 40, "COINBASE": 15, "KRAKEN": 20}  # of each process


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with simulating() as simulator:
        yield simulator


def hammer(simulator: Simulator, exchange: str, how: str) -> Counter[str]:
    """Return how often the processes together were told what."""
    trader = simulator.trader(exchange, balances={"BTC": "100"})
    simulator.control(trader.name, "price", pair="BTC/USDT", price="60000")
    keys = [trader.credentials.api_key, trader.credentials.secret]
    command = [sys.executable, "-m", "tests.exchanges.hammer", simulator.url, exchange, *keys]
    command += [how, str(CALLS[exchange])]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    told: Counter[str] = Counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=120)
        told.update(json.loads(output))
    return told


@pytest.mark.parametrize("exchange", CALLS)
def test_with_the_shared_budget_nobody_is_told_off(simulator: Simulator, exchange: str) -> None:
    assert hammer(simulator, exchange, "shared") == {"fine": PROCESSES * CALLS[exchange]}


@pytest.mark.parametrize("exchange", CALLS)
def test_the_control_arm_is_told_off(simulator: Simulator, exchange: str) -> None:
    told = hammer(simulator, exchange, "alone")

    assert told.total() == PROCESSES * CALLS[exchange]
    assert told.total() - told["fine"] >= 5, told
