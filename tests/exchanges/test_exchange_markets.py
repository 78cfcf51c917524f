from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from json import dumps

import pytest
import requests
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from exchanges.errors import ExchangeUnavailable, UnknownExchange
from exchanges.gateways import public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import Market
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.server import serve
from tests.exchanges.replay import replaying
from tests.factories import make_market

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with serve(seed=5) as url:
        use(settings, url)
        yield url
    public_gateway.cache_clear()


def use(settings: Settings, url: str) -> None:
    settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
    public_gateway.cache_clear()


def test_a_refresh_stores_every_market_with_its_rules(url: str) -> None:
    assert refresh_markets("BINANCE") == len(LISTINGS) == Market.objects.filter(is_active=True).count()

    ripple = Market.objects.get(exchange="BINANCE", trading_pair="XRP/USDT")
    assert (ripple.base, ripple.quote) == ("XRP", "USDT")
    assert ripple.rules.price_tick == Decimal("0.0001")
    assert (ripple.rules.amount_step, ripple.rules.minimum_cost) == (1, 5)


def test_a_refresh_updates_in_place(url: str) -> None:
    old = make_market(minimum_cost=Decimal(999), is_active=False)

    refresh_markets("BINANCE")

    new = Market.objects.get(trading_pair=old.trading_pair)
    assert (new.pk, new.minimum_cost, new.is_active) == (old.pk, 5, True)
    assert new.refreshed_at > old.refreshed_at


def test_a_market_that_disappeared_stays_inactive_and_other_exchanges_are_left_alone(url: str) -> None:
    gone = make_market(trading_pair="LUNA/USDT")
    elsewhere = make_market(exchange="KRAKEN", trading_pair="LUNA/USDT")

    refresh_markets("BINANCE")

    gone.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (gone.is_active, elsewhere.is_active) == (False, True)


def test_halted_markets_and_foreign_quotes_are_left_out(url: str, settings: Settings) -> None:
    info = requests.get(f"{url}/api/v3/exchangeInfo", timeout=10).json()
    bitcoin, ether, *_ = info["symbols"]
    bitcoin["status"] = "BREAK"
    lira = {**ether, "symbol": "ETHTRY", "quoteAsset": "TRY"}
    info["symbols"] = [bitcoin, ether, lira]
    with replaying({"*": dumps(info).encode()}) as changed:
        use(settings, changed)

        assert refresh_markets("BINANCE") == 1

    assert [market.trading_pair for market in Market.objects.all()] == ["ETH/USDT"]


def test_an_exchange_without_markets_changes_nothing(url: str, settings: Settings) -> None:
    refresh_markets("BINANCE")
    with replaying({"*": b'{"symbols": []}'}) as empty:
        use(settings, empty)

        with pytest.raises(ExchangeUnavailable, match="without any market"):
            refresh_markets("BINANCE")

    assert Market.objects.filter(is_active=True).count() == len(LISTINGS)


def test_the_command_says_what_it_did(url: str) -> None:
    output = StringIO()

    call_command("refresh_markets", stdout=output)

    assert output.getvalue().splitlines() == [
        f"{exchange}: {len(LISTINGS)} markets" for exchange in ("BINANCE", "COINBASE", "KRAKEN")
    ]


def test_the_command_names_what_failed_and_does_the_rest(url: str, settings: Settings) -> None:
    settings.SUPPORTED_EXCHANGES = ("BINANCE", "COINBASE")

    with pytest.raises(CommandError, match="'KRAKEN' is not one of SUPPORTED_EXCHANGES"):
        call_command("refresh_markets", "KRAKEN", "BINANCE", stdout=StringIO())

    assert Market.objects.filter(exchange="BINANCE").count() == len(LISTINGS)
    with pytest.raises(UnknownExchange):
        refresh_markets("MTGOX")
