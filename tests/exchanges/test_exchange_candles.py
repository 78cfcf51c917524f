from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from pytest_django import DjangoAssertNumQueries

from bot_sdk.timeframes import duration
from exchanges.candles import collect, crawl, window
from exchanges.ccxt_gateway import CcxtGateway
from exchanges.errors import CandleNotReady, ExchangeUnavailable
from exchanges.gateway import CandleRow, PublicGateway
from exchanges.models import Candle, Market
from exchanges.simulator.server import serve
from tests.factories import make_market

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COLUMNS = ["open", "high", "low", "close", "volume"]


@dataclass
class Exchange:
    """A simulated exchange whose time the test sets, and the requests that it saw."""

    gateway: PublicGateway
    now: datetime
    paths: list[str]

    def limits(self) -> list[int]:
        """The `limit` of each of Binance's candle requests since the last call."""
        asked = [parse_qs(urlsplit(path).query)["limit"][0] for path in self.paths if "/klines" in path]
        del self.paths[:]
        return [int(limit) for limit in asked]


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    """The exchange that the test names, or Binance where it is all one."""
    moment = NOON + MINUTE + timedelta(seconds=2)
    paths: list[str] = []
    with serve(seed=5, clock=lambda: simulated.now, on_request=paths.append, has_limits=False) as url:
        gateway = CcxtGateway(getattr(request, "param", "BINANCE"), url)
        gateway._client.enableRateLimit = False
        simulated = Exchange(gateway, moment, paths)
        yield simulated


@pytest.fixture
def market() -> Market:
    return make_market()


def stored(market: Market) -> list[datetime]:
    return list(Candle.objects.of(market, "1m").order_by("opened_at").values_list("opened_at", flat=True))


def minutes(first: int, last: int) -> list[datetime]:
    """Opening times from `first` to `last` minutes before noon, in order."""
    return [NOON - back * MINUTE for back in range(first, last - 1, -1)]


def test_a_first_crawl_stores_the_whole_window_page_by_page(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON, 2300)

    assert stored(market) == minutes(2299, 0)
    assert exchange.limits() == [1000, 1000, 300]


def test_a_later_crawl_asks_for_the_newest_candle_alone(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON, 50)
    exchange.limits()
    exchange.now += MINUTE

    crawl(market, "1m", exchange.gateway, NOON + MINUTE, 50)

    assert exchange.limits() == [1]
    assert stored(market) == [*minutes(49, 0), NOON + MINUTE]


def test_crawling_twice_stores_once_and_asks_nothing(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON, 50)
    rows = list(Candle.objects.values_list())
    exchange.limits()

    crawl(market, "1m", exchange.gateway, NOON, 50)

    assert exchange.limits() == []
    assert list(Candle.objects.values_list()) == rows


def test_after_a_pause_only_what_was_missed_is_asked_for(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON - 7 * MINUTE, 20)
    exchange.limits()

    crawl(market, "1m", exchange.gateway, NOON, 20)

    assert exchange.limits() == [7]
    assert stored(market) == minutes(26, 0)


def test_a_larger_window_is_filled_at_its_old_end(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON, 10)
    exchange.limits()

    crawl(market, "1m", exchange.gateway, NOON, 25)

    assert exchange.limits() == [15]
    assert stored(market) == minutes(24, 0)


def test_markets_and_timeframes_are_apart(exchange: Exchange, market: Market) -> None:
    other = make_market(trading_pair="ETH/USDT")
    crawl(market, "1m", exchange.gateway, NOON, 5)
    crawl(other, "1m", exchange.gateway, NOON, 5)
    crawl(market, "5m", exchange.gateway, NOON - 5 * MINUTE, 5)

    assert len(stored(market)) == len(stored(other)) == Candle.objects.of(market, "5m").count() == 5
    assert window(market, "1m", NOON, 5)["close"].iloc[-1] != window(other, "1m", NOON, 5)["close"].iloc[-1]


def test_a_candle_in_progress_is_not_ready_and_not_stored(exchange: Exchange, market: Market) -> None:
    with pytest.raises(
        CandleNotReady, match="BTC/USDT on Binance has no closed 1m candle of 2026-03-02 12:01 UTC"
    ):
        crawl(market, "1m", exchange.gateway, NOON + MINUTE, 10)

    assert stored(market) == minutes(8, 0)
    exchange.now += MINUTE
    crawl(market, "1m", exchange.gateway, NOON + MINUTE, 10)
    assert stored(market) == [*minutes(8, 0), NOON + MINUTE]


class RacedExchange:
    """Its first answer comes late: meanwhile another worker crawls the same market."""

    def __init__(self, exchange: Exchange, market: Market) -> None:
        self.exchange, self.market, self.is_raced = exchange, market, False

    candles_per_call = 1000

    def fetch_candles(self, pair: str, timeframe: str, since: datetime, limit: int) -> list[CandleRow]:
        if not self.is_raced:
            self.is_raced = True
            crawl(self.market, timeframe, self.exchange.gateway, NOON, 50)
        return list(self.exchange.gateway.fetch_candles(pair, timeframe, since, limit))


def test_two_workers_at_once_store_once(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", RacedExchange(exchange, market), NOON, 50)  # type: ignore[arg-type]

    assert exchange.limits() == [50, 50]
    assert stored(market) == minutes(49, 0)


class HoledExchange:
    """An exchange without some 1m candles, as Coinbase and Kraken are when nobody trades."""

    def __init__(self, missing: set[datetime], candles_per_call: int) -> None:
        self.missing = missing
        self.candles_per_call = candles_per_call
        self.asked: list[tuple[datetime, int]] = []

    def fetch_candles(self, _pair: str, timeframe: str, since: datetime, limit: int) -> list[CandleRow]:
        self.asked.append((since, limit))
        missing = self.missing if timeframe == "1m" else set()
        opened = [since + index * duration(timeframe) for index in range(min(limit, self.candles_per_call))]
        return [CandleRow(at, *[Decimal(1)] * 5) for at in opened if at not in missing]


def test_holes_of_the_exchange_stay_holes_and_are_asked_for_once(market: Market) -> None:
    missing = {NOON - back * MINUTE for back in (3, 5, 6, 7, 8, 9)}
    exchange = HoledExchange(missing, candles_per_call=4)

    crawl(market, "1m", exchange, NOON, 12)  # type: ignore[arg-type]
    first = len(exchange.asked)
    crawl(market, "1m", exchange, NOON + MINUTE, 12)  # type: ignore[arg-type]

    assert stored(market) == [at for at in [*minutes(11, 0), NOON + MINUTE] if at not in missing]
    assert first == 3
    assert exchange.asked[first:] == [(NOON + MINUTE, 1)]


def test_a_history_shorter_than_the_window_is_asked_for_in_vain_once(market: Market) -> None:
    before_listing = {NOON - back * MINUTE for back in range(5, 40)}
    exchange = HoledExchange(before_listing, candles_per_call=1000)
    crawl(market, "1m", exchange, NOON, 20)  # type: ignore[arg-type]
    crawl(market, "1m", exchange, NOON + MINUTE, 20)  # type: ignore[arg-type]
    del exchange.asked[:]

    crawl(market, "1m", exchange, NOON + 2 * MINUTE, 20)  # type: ignore[arg-type]

    assert exchange.asked == [(NOON + 2 * MINUTE, 1)]


def test_an_exchange_that_is_down_leaves_what_is_stored(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON - MINUTE, 5)

    with pytest.raises(ExchangeUnavailable):
        crawl(market, "1m", CcxtGateway("BINANCE", "http://127.0.0.1:1"), NOON, 5)

    assert stored(market) == minutes(5, 1)


def test_the_window_is_a_frame_of_floats_in_order_of_time(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON, 30)

    frame = window(market, "1m", NOON - 2 * MINUTE, 10)

    assert list(frame.columns) == COLUMNS
    assert {str(dtype) for dtype in frame.dtypes} == {"float64"}
    assert frame.index.name == "opened_at"
    assert list(frame.index) == minutes(11, 2)
    newest = Candle.objects.get(opened_at=NOON - 2 * MINUTE)
    assert frame.iloc[-1].tolist() == [float(getattr(newest, column)) for column in COLUMNS]


def test_a_window_without_candles_is_an_empty_frame_of_the_same_form(market: Market) -> None:
    frame = window(market, "1m", NOON, 10)

    assert list(frame.columns) == COLUMNS
    assert {str(dtype) for dtype in frame.dtypes} == {"float64"}
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.dtype) == "datetime64[us, UTC]"


def test_a_window_is_one_query(
    exchange: Exchange, market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    crawl(market, "1m", exchange.gateway, NOON, 30)

    with django_assert_num_queries(1):
        window(market, "1m", NOON, 30)


def values(market: Market, timeframe: str) -> list[tuple[object, ...]]:
    candles = Candle.objects.of(market, timeframe).order_by("opened_at")
    return list(candles.values_list("opened_at", *COLUMNS))


def made_of_minutes(exchange: Exchange, market: Market, timeframe: str) -> list[str]:
    """Collect three candles on top of fetched ones and see that they equal the exchange's own.

    Return the requests that it took.
    """
    step = {"5m": 5, "1h": 60}[timeframe] * MINUTE
    crawl(market, "1m", exchange.gateway, NOON, 100)
    collect(market, timeframe, exchange.gateway, NOON - step, 10, smallest="1m")
    exchange.now += 3 * step
    del exchange.paths[:]

    collect(market, timeframe, exchange.gateway, NOON + 2 * step, 10, smallest="1m")

    requests, made = list(exchange.paths), values(market, timeframe)
    Candle.objects.of(market, timeframe).delete()
    crawl(market, timeframe, exchange.gateway, NOON + 2 * step, 13)
    assert made == values(market, timeframe)
    assert made[-1][0] == NOON + 2 * step
    return requests


@pytest.mark.parametrize(("timeframe", "minutes"), [("5m", 14), ("1h", 179)])
def test_larger_candles_are_made_of_the_smallest_and_equal_the_exchanges(
    exchange: Exchange, market: Market, timeframe: str, minutes: int
) -> None:
    [request] = made_of_minutes(exchange, market, timeframe)

    asked = parse_qs(urlsplit(request).query)
    assert (asked["interval"], asked["limit"]) == (["1m"], [str(minutes)])


@pytest.mark.parametrize("exchange", ["COINBASE", "KRAKEN"], indirect=True)
@pytest.mark.parametrize("timeframe", ["5m", "1h"])
def test_larger_candles_equal_the_exchanges_where_minutes_without_trades_are_missing(
    exchange: Exchange, market: Market, timeframe: str
) -> None:
    made_of_minutes(exchange, market, timeframe)

    assert len(stored(market)) < (stored(market)[-1] - stored(market)[0]) // MINUTE + 1


def test_all_timeframes_of_a_market_cost_one_request(exchange: Exchange, market: Market) -> None:
    timeframes = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE}
    for timeframe, step in timeframes.items():
        crawl(market, timeframe, exchange.gateway, NOON - step, 20)
    exchange.now += 14 * MINUTE
    exchange.limits()

    for timeframe, step in timeframes.items():
        collect(market, timeframe, exchange.gateway, NOON + 15 * MINUTE - step, 20, smallest="1m")

    assert exchange.limits() == [15]


def test_a_candle_with_a_hole_in_it_is_the_exchanges_own(exchange: Exchange, market: Market) -> None:
    crawl(market, "5m", exchange.gateway, NOON - 5 * MINUTE, 10)
    exchange.now += 4 * MINUTE
    crawl(market, "1m", exchange.gateway, NOON + 4 * MINUTE, 20)
    Candle.objects.of(market, "1m").filter(opened_at=NOON + 2 * MINUTE).delete()

    collect(market, "5m", exchange.gateway, NOON, 10, smallest="1m")

    made = values(market, "5m")
    Candle.objects.of(market, "5m").delete()
    crawl(market, "5m", exchange.gateway, NOON, 11)
    assert made == values(market, "5m")


def test_a_last_minute_without_trades_holds_no_larger_candle_up(market: Market) -> None:
    exchange = HoledExchange({NOON + 4 * MINUTE}, candles_per_call=1000)
    crawl(market, "5m", exchange, NOON - 5 * MINUTE, 10)  # type: ignore[arg-type]
    crawl(market, "1m", exchange, NOON - MINUTE, 10)  # type: ignore[arg-type]

    collect(market, "5m", exchange, NOON, 10, smallest="1m")  # type: ignore[arg-type]

    assert values(market, "5m")[-1] == (NOON, *[Decimal(1)] * 5)


def test_small_candles_get_no_hole_from_a_larger_ones_making(exchange: Exchange, market: Market) -> None:
    crawl(market, "1m", exchange.gateway, NOON - 90 * MINUTE, 10)
    crawl(market, "5m", exchange.gateway, NOON - 5 * MINUTE, 10)
    exchange.now += 4 * MINUTE

    collect(market, "5m", exchange.gateway, NOON, 10, smallest="1m")

    assert stored(market) == [*minutes(99, 0), *(NOON + n * MINUTE for n in range(1, 5))]
