"""The price of the moment is asked for once, by whichever process needs it first."""

from collections import Counter
from collections.abc import Iterator
from threading import Thread
from urllib.parse import urlsplit

import pytest
from pytest_django.fixtures import Settings

from exchanges import gateways, prices
from exchanges.errors import UnknownMarket
from exchanges.gateway import Ticker
from exchanges.prices import fetch_ticker
from exchanges.simulator.server import serve
from tests.factories import make_market

pytestmark = pytest.mark.django_db

EXCHANGES = ("BINANCE", "COINBASE", "KRAKEN")
PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


@pytest.fixture
def asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths of the requests for prices that three simulated exchanges got."""
    monkeypatch.setattr(prices, "GOOD_FOR_SECONDS", 60)
    paths: list[str] = []
    with serve(seed=7, has_limits=False, on_request=paths.append) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        gateways.public_gateway.cache_clear()
        yield paths
        gateways.public_gateway.cache_clear()


def tickers_in(paths: list[str]) -> int:
    kinds = Counter(urlsplit(path).path.rpartition("/")[2].lower() for path in paths)
    return kinds["24hr"] + kinds["ticker"]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_market_is_asked_for_its_price_once_however_many_need_it(exchange: str, asked: list[str]) -> None:
    market = make_market(exchange=exchange)

    told = [fetch_ticker(market) for _ in range(3)]

    assert tickers_in(asked) == 1
    assert told[0] == told[1] == told[2]
    assert 0 < told[0].bid < told[0].ask


def test_those_who_ask_at_the_same_moment_ask_once(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "SHORT_WAIT_SECONDS", 60)  # on a busy machine
    market = make_market()
    gateways.public_gateway("BINANCE")
    told: list[Ticker] = []

    def need() -> None:
        told.append(fetch_ticker(market))

    threads = [Thread(target=need) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(told), len(set(told)), tickers_in(asked)) == (4, 1, 1)


def test_kraken_tells_the_prices_of_all_markets_in_one_call_and_the_others_do_not(asked: list[str]) -> None:
    calls, told = {}, {}
    for exchange in EXCHANGES:
        asked.clear()
        markets = [make_market(exchange=exchange, trading_pair=pair) for pair in PAIRS]
        told[exchange] = [fetch_ticker(market).last for market in markets]
        calls[exchange] = tickers_in(asked)

    assert calls == {"BINANCE": 3, "COINBASE": 3, "KRAKEN": 1}
    assert all(
        abs(theirs / ours - 1) < 0.01 for ours, theirs in zip(told["BINANCE"], told["KRAKEN"], strict=True)
    )


def test_a_price_does_not_outlive_its_seconds(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    market = make_market()
    monkeypatch.setattr(prices, "GOOD_FOR_SECONDS", 0)

    for _ in range(2):
        fetch_ticker(market)

    assert tickers_in(asked) == 2


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_market_that_the_exchange_does_not_list_has_no_price(exchange: str, asked: list[str]) -> None:
    with pytest.raises(UnknownMarket):
        fetch_ticker(make_market(exchange=exchange, trading_pair="DOGE/USDT"))
