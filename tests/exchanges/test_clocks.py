import time
from datetime import UTC, datetime, timedelta

import pytest

from exchanges import clocks
from exchanges.ccxt_gateway import CcxtGateway
from exchanges.clocks import skew
from exchanges.errors import ExchangeUnavailable
from exchanges.simulator.server import serve
from tests.exchanges.simulated import simulating


@pytest.mark.parametrize("exchange", ["COINBASE", "KRAKEN"])
def test_a_clock_that_tells_whole_seconds_is_not_taken_for_one_that_is_late(exchange: str) -> None:
    with simulating() as simulator:
        gateway = simulator.public(exchange)
        gateway.fetch_time()  # the connection is there
        time.sleep((0.85 - datetime.now(UTC).microsecond / 1e6) % 1)  # towards the end of a second
        measured = skew(gateway)

    assert abs(measured) < timedelta(seconds=0.7)


@pytest.mark.parametrize("seconds", [-30, 0, 5])
def test_the_skew_is_ours_minus_theirs(seconds: int) -> None:
    with serve(clock=lambda: datetime.now(UTC) - timedelta(seconds=seconds)) as url:
        measured = skew(CcxtGateway("BINANCE", url))

    assert abs(measured - timedelta(seconds=seconds)) < timedelta(seconds=0.5)


def test_an_answer_that_took_too_long_tells_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "MOST_DOUBT", timedelta(0))

    with serve() as url, pytest.raises(ExchangeUnavailable, match="to tell the time"):
        skew(CcxtGateway("BINANCE", url))
