"""Many processes at an exchange that counts: with the shared budget nobody is told off, without it many."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.exchanges.simulated import Simulator, simulating

PROCESSES = 3
# How often each of them asks. Fewer would pass Binance's 100 orders in 10 s, Coinbase's 10 calls in a second,
# and Kraken's rule that a nonce is larger than the last.
OFTEN = {"BINANCE": 35, "COINBASE": 10, "KRAKEN": 15}
# for a while at the pace that can be kept up; also at Kraken, which counts 15 calls and then one in 3 s
VERY_OFTEN = {"BINANCE": 100, "COINBASE": 100, "KRAKEN": 40}
CASES = [
    *OFTEN.items(),
    *(pytest.param(*case, marks=pytest.mark.release, id=f"{case[0]}-long") for case in VERY_OFTEN.items()),
]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with simulating() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def askers() -> Iterator[subprocess.Popen[str]]:
    """What starts the processes."""
    command = [sys.executable, "-m", "tests.exchanges.hammer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def hammer(
    askers: subprocess.Popen[str], simulator: Simulator, exchange: str, often: int, *, is_shared: bool
) -> Counter[str]:
    """Return how often the processes together were told what."""
    trader = simulator.trader(exchange, balances={"BTC": "100"})
    simulator.control(trader.name, "price", pair="BTC/USDT", price="60000")
    job = {
        "url": simulator.url,
        "exchange": exchange,
        "key": trader.credentials.api_key,
        "secret": trader.credentials.secret,
        "is_shared": is_shared,
        "processes": PROCESSES,
        "often": often,
    }
    assert askers.stdin is not None
    assert askers.stdout is not None
    askers.stdin.write(json.dumps(job) + "\n")
    askers.stdin.flush()
    return Counter(json.loads(askers.stdout.readline()))


@pytest.mark.parametrize(("exchange", "often"), CASES)
def test_with_the_shared_budget_nobody_is_told_off(
    askers: subprocess.Popen[str], simulator: Simulator, exchange: str, often: int
) -> None:
    told = hammer(askers, simulator, exchange, often, is_shared=True)

    assert told == {"fine": PROCESSES * often}


@pytest.mark.parametrize(("exchange", "often"), VERY_OFTEN.items())
def test_the_control_arm_is_told_off(
    askers: subprocess.Popen[str], simulator: Simulator, exchange: str, often: int
) -> None:
    told = hammer(askers, simulator, exchange, often, is_shared=False)

    assert told.total() - told["fine"] >= 5, told  # it ends soon after that
