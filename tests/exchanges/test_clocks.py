from datetime import UTC, datetime, timedelta

import pytest

from exchanges.ccxt_gateway import CcxtGateway
from exchanges.clocks import skew
from exchanges.simulator.server import serve


@pytest.mark.parametrize("seconds", [-30, 0, 5])
def test_the_skew_is_ours_minus_theirs(seconds: int) -> None:
    with serve(clock=lambda: datetime.now(UTC) - timedelta(seconds=seconds)) as url:
        measured = skew(CcxtGateway("BINANCE", url))

    assert abs(measured - timedelta(seconds=seconds)) < timedelta(seconds=0.5)
