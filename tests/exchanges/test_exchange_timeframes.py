import ccxt
import pytest

from bot_sdk.timeframes import TIMEFRAMES
from exchanges.models import Exchange, Market


@pytest.mark.parametrize("exchange", Exchange.values)
def test_the_timeframes_that_a_market_offers_are_those_ccxt_has(exchange: str) -> None:
    of_ccxt = getattr(ccxt, exchange.lower())().timeframes

    market = Market(exchange=exchange)

    assert set(market.timeframes) == set(TIMEFRAMES) & set(of_ccxt)
