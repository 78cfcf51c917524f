import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json import dumps
from urllib.parse import urlsplit

import pytest
import requests
from pytest_django.fixtures import Settings

from bot_sdk.timeframes import TIMEFRAMES, duration
from exchanges.ccxt_client import PROFILES, HostGuard
from exchanges.ccxt_gateway import CcxtGateway
from exchanges.errors import ExchangeUnavailable, UnknownExchange, UnknownMarket, UnknownTimeframe
from exchanges.gateways import public_gateway
from exchanges.models import MISSING_TIMEFRAMES, Exchange
from exchanges.simulator.server import serve
from tests.exchanges.replay import CLOSED, recorded, replaying

NOON = datetime(2026, 3, 2, 12, 0, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(seed=5, clock=lambda: NOON, has_limits=False) as url:
        yield url


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, url: str) -> CcxtGateway:
    """The exchange that the test names, or Binance where it is all one. It keeps to no pace."""
    return unhurried(getattr(request, "param", "BINANCE"), url)


def unhurried(exchange: str, url: str) -> CcxtGateway:
    gateway = CcxtGateway(exchange, url)
    gateway._client.enableRateLimit = False
    return gateway


at_each_exchange = pytest.mark.parametrize("gateway", PROFILES, indirect=True)


def test_markets_come_with_exact_rules(gateway: CcxtGateway) -> None:
    markets = {market.trading_pair: market for market in gateway.fetch_markets()}

    assert set(markets) >= {"BTC/USDT", "ETH/USDT", "ETH/BTC"}
    bitcoin = markets["BTC/USDT"]
    assert (bitcoin.base, bitcoin.quote) == ("BTC", "USDT")
    assert bitcoin.rules.price_tick == Decimal("0.01")
    assert bitcoin.rules.amount_step == bitcoin.rules.minimum_amount == Decimal("0.00001")
    assert bitcoin.rules.minimum_cost == 5
    assert bitcoin.rules.taker_fee_fraction == Decimal("0.001")


@pytest.mark.parametrize(
    ("gateway", "timeframe"),
    [
        (exchange, timeframe)
        for exchange in PROFILES
        for timeframe in TIMEFRAMES
        if timeframe not in MISSING_TIMEFRAMES.get(Exchange(exchange), ())
    ],
    indirect=["gateway"],
)
def test_only_closed_candles_come_through(gateway: CcxtGateway, timeframe: str) -> None:
    step = duration(timeframe)
    since = NOON - 6 * step

    candles = gateway.fetch_candles("BTC/USDT", timeframe, since, 100)

    sent = gateway._client.fetch_ohlcv("BTC/USDT", timeframe, int(since.timestamp() * 1000), 100)
    in_progress = datetime.fromtimestamp(sent[-1][0] / 1000, UTC)
    assert in_progress + step > NOON, "the exchange itself sends the one in progress"
    assert all(since <= candle.opened_at and candle.opened_at + step <= NOON for candle in candles)
    assert candles[-1].opened_at + 2 * step > NOON
    assert candles == sorted(candles, key=lambda candle: candle.opened_at)


@pytest.mark.parametrize("exchange", PROFILES)
def test_a_candle_closes_a_moment_after_its_end_by_the_exchanges_clock(exchange: str) -> None:
    just_before = datetime(2026, 3, 2, 12, 0, 1, 999_000, tzinfo=UTC)
    moment = [just_before]
    with serve(seed=5, clock=lambda: moment[0]) as url:
        gateway = unhurried(exchange, url)
        since = datetime(2026, 3, 2, 11, 59, tzinfo=UTC)

        before = gateway.fetch_candles("BTC/USDT", "1m", since, 5)
        moment[0] += timedelta(milliseconds=1)
        after = gateway.fetch_candles("BTC/USDT", "1m", since, 5)

    assert before == []
    assert [candle.opened_at for candle in after] == [since]


def test_prices_and_volumes_are_what_the_exchange_wrote(url: str, gateway: CcxtGateway) -> None:
    opened_at = NOON.replace(hour=9, second=0)
    query = {"symbol": "ETHBTC", "interval": "1m", "startTime": str(int(opened_at.timestamp() * 1000))}
    row = requests.get(f"{url}/api/v3/klines", params=query, timeout=10).json()[0]

    [candle] = gateway.fetch_candles("ETH/BTC", "1m", opened_at, 1)

    written = [Decimal(value) for value in row[1:6]]
    assert [candle.open, candle.high, candle.low, candle.close, candle.volume] == written


@at_each_exchange
def test_the_ticker_is_the_exchanges(gateway: CcxtGateway) -> None:
    ticker = gateway.fetch_ticker("XRP/USDT")

    assert Decimal(0) < ticker.bid <= ticker.last <= ticker.ask
    assert ticker.bid < ticker.ask


@pytest.mark.parametrize("gateway", ["BINANCE", "COINBASE"], indirect=True)  # Kraken does not tell its time
def test_a_tickers_time_is_the_exchanges(gateway: CcxtGateway) -> None:
    assert gateway.fetch_ticker("XRP/USDT").at == gateway.fetch_time() == NOON


@pytest.mark.parametrize("pair", ["NOPE/USDT", "BTCUSDT", "btc/usdt", "", "BTC/USDT:USDT"])
def test_an_unknown_pair_is_refused_before_anything_is_asked(pair: str) -> None:
    seen: list[str] = []
    with serve(seed=5, clock=lambda: NOON, on_request=seen.append) as url:
        gateway = CcxtGateway("BINANCE", url)
        gateway.fetch_markets()
        del seen[:]

        with pytest.raises(UnknownMarket, match="BINANCE does not list"):
            gateway.fetch_ticker(pair)
        with pytest.raises(UnknownMarket, match="base/quote"):
            gateway.fetch_candles(pair, "1m", NOON, 1)

    assert seen == []


@pytest.mark.parametrize(
    ("exchange", "timeframe"), [("BINANCE", "7m"), ("BINANCE", "3m"), ("COINBASE", "4h"), ("KRAKEN", "1s")]
)
def test_a_timeframe_that_the_exchange_lacks_is_refused(exchange: str, timeframe: str) -> None:
    with pytest.raises(
        UnknownTimeframe, match=rf"{exchange} has no '{timeframe}' candles; choose one of 1m, 5m"
    ):
        CcxtGateway(exchange, None).fetch_candles("BTC/USD", timeframe, NOON, 1)


def test_the_markets_are_loaded_with_one_call_and_once() -> None:
    seen: list[str] = []
    with serve(seed=5, clock=lambda: NOON, on_request=seen.append) as url:
        gateway = CcxtGateway("BINANCE", url)
        for _ in range(3):
            gateway.fetch_ticker("BTC/USDT")

    paths = [urlsplit(path).path for path in seen]
    assert paths == ["/api/v3/exchangeInfo", *["/api/v3/ticker/24hr"] * 3]


BROKEN = {
    "garbage": (b"<html>hello</html>", 200),
    "a cut reply": (b'{"serverTime": 17', 200),
    "nothing in it": (b"{}", 200),
    "another shape": (b"[]", 200),
    "null": (b"null", 200),
    "a closed connection": (CLOSED, 200),
    "bytes that are no text": (b"\x1f\x8b\x00\x00", 503),
    "an error page": (b"<html>Bad gateway</html>", 502),
    "an error in JSON": (b'{"code": -1000, "msg": "An unknown error occurred."}', 500),
    "a rate limit": (b'{"code": -1003, "msg": "Too many requests."}', 429),
}


@pytest.mark.parametrize("exchange", PROFILES)
@pytest.mark.parametrize("reply", BROKEN)
def test_a_broken_exchange_is_unavailable_and_named(exchange: str, reply: str) -> None:
    body, status = BROKEN[reply]
    with replaying({"*": body}, status) as url:
        gateway = unhurried(exchange, url)

        with pytest.raises(ExchangeUnavailable, match=f"{exchange} .* try again later") as caught:
            gateway.fetch_markets()
        assert str(caught.value).isprintable()
        with pytest.raises(ExchangeUnavailable, match=f"{exchange} .* its time; try again later"):
            gateway.fetch_time()


@pytest.mark.parametrize("body", [b'{"symbol": "BTCUSDT"}', b"{}", b"[]", b'{"lastPrice": "NaN"}'])
def test_a_ticker_without_prices_is_no_ticker(url: str, body: bytes) -> None:
    with behind(url, {"*": body}) as broken:
        gateway = CcxtGateway("BINANCE", broken)

        with pytest.raises(ExchangeUnavailable, match="did not answer usably .* the ticker of BTC/USDT"):
            gateway.fetch_ticker("BTC/USDT")


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"[[1, 2", b"[[1772452800000, null]]"])
def test_unreadable_candles_are_not_mistaken_for_none(url: str, body: bytes) -> None:
    with (
        behind(url, {"/api/v3/klines": body}) as broken,
        pytest.raises(ExchangeUnavailable, match="candles of BTC/USDT"),
    ):
        CcxtGateway("BINANCE", broken).fetch_candles("BTC/USDT", "1m", NOON - timedelta(minutes=5), 3)


def test_no_digit_is_lost(url: str) -> None:
    digits = "12345678901234.12345678"
    opened_at = int((NOON - timedelta(minutes=3)).timestamp() * 1000)
    row = [opened_at, digits, digits, digits, digits, digits, opened_at + 59_999, "0", 1, "0", "0", "0"]
    with behind(url, {"/api/v3/klines": dumps([row]).encode()}) as changed:
        gateway = CcxtGateway("BINANCE", changed)

        [candle] = gateway.fetch_candles("BTC/USDT", "1m", NOON - timedelta(minutes=5), 3)

    assert {str(candle.close), str(candle.volume)} == {digits}


def behind(url: str, replies: dict[str, bytes]) -> AbstractContextManager[str]:
    """The simulator's markets and time, with other replies before the rest of it."""
    real = {
        path: requests.get(url + path, timeout=10).content
        for path in ("/api/v3/exchangeInfo", "/api/v3/time")
    }
    return replaying(real | replies)


@pytest.mark.parametrize("exchange", PROFILES)
def test_an_exchange_that_is_down_is_unavailable_and_back_when_it_is_up(exchange: str) -> None:
    with serve(seed=5, clock=lambda: NOON) as url:
        assert CcxtGateway(exchange, url).fetch_time() == NOON
    down = unhurried(exchange, url)

    with pytest.raises(ExchangeUnavailable):
        down.fetch_time()
    with serve(int(url.rpartition(":")[2]), seed=5, clock=lambda: NOON):
        assert down.fetch_time() == NOON


@pytest.mark.parametrize("forbidden", ["https://evil.example/api", "http://api.binance.com/api/v3/ping"])
def test_the_guard_lets_a_client_reach_its_own_hosts_only(url: str, forbidden: str) -> None:
    with requests.Session() as session:
        for scheme in ("https://", "http://"):
            session.mount(scheme, HostGuard(frozenset({"api.binance.com"}), url))

        assert session.get("https://api.binance.com/api/v3/ping", timeout=5).json() == {}
        with pytest.raises(
            requests.ConnectionError, match=r"refused to contact .* allowed: https to api\.binance\.com"
        ):
            session.get(forbidden, timeout=5)


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "http://api.binance.com/", "http://127.0.0.1:1/"]
)
def test_the_guard_follows_no_exchange_to_another_host(elsewhere: str) -> None:
    with replaying({"*": b"{}"}, status=302, location=elsewhere) as url:
        client = CcxtGateway("BINANCE", url)._client

        with pytest.raises(requests.ConnectionError, match="refused to follow a redirect"):
            client.session.get("https://api.binance.com/api/v3/time", timeout=5)


def test_a_client_heeds_no_proxy_of_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert CcxtGateway("BINANCE", url).fetch_time() == NOON


@pytest.mark.parametrize("exchange", PROFILES)
def test_a_live_client_refuses_every_other_exchanges_host(exchange: str) -> None:
    gateway = CcxtGateway(exchange, None)
    others = {host for name, profile in PROFILES.items() if name != exchange for host in profile.hosts}

    for host in {*others, "testnet.binance.vision", "fapi.binance.com"}:
        with pytest.raises(requests.ConnectionError, match="refused to contact"):
            gateway._client.session.get(f"https://{host}/", timeout=5)


def test_an_unknown_exchange_is_named() -> None:
    with pytest.raises(UnknownExchange, match="Expected one of BINANCE, COINBASE, KRAKEN, got 'MTGOX'"):
        CcxtGateway("MTGOX", None)


def test_settings_choose_the_source_and_a_process_keeps_one_gateway(settings: Settings, url: str) -> None:
    public_gateway.cache_clear()
    settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url

    assert public_gateway("BINANCE").fetch_time() == NOON
    assert public_gateway("BINANCE") is public_gateway("BINANCE")
    settings.SUPPORTED_EXCHANGES = ("BINANCE", "COINBASE")
    with pytest.raises(UnknownExchange, match="'KRAKEN' is not one of SUPPORTED_EXCHANGES; .*COINBASE"):
        public_gateway("KRAKEN")
    public_gateway.cache_clear()


COINBASE_PATH = "/api/v3/brokerage/market/products"
RECORDED = {
    "COINBASE": {
        COINBASE_PATH: "coinbase__http_products.json",
        f"{COINBASE_PATH}/BTC-USD/candles": "coinbase__http_candles.json",
        f"{COINBASE_PATH}/BTC-USD/ticker": "coinbase__http_ticker.json",
    },
    "KRAKEN": {
        "/0/public/AssetPairs": "kraken__http_asset_pairs.json",
        "/0/public/OHLC": "kraken__http_ohlc.json",
        "/0/public/Ticker": "kraken__http_ticker.json",
        "/0/public/Time": "kraken__http_server_time.json",
    },
}


@pytest.fixture
def replay() -> Iterator["Replay"]:
    with ExitStack() as stack:
        yield Replay(stack)


class Replay:
    """Gateways on what real exchanges once answered."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack

    def gateway(self, exchange: str, at: datetime, **extra: object) -> CcxtGateway:
        files = RECORDED[exchange]
        replies = {path: dumps(recorded(f"nautilus/{file}")).encode() for path, file in files.items()}
        replies |= {path.replace("_", "/"): dumps(body).encode() for path, body in extra.items()}
        url = self.stack.enter_context(replaying(replies, at=at))
        return CcxtGateway(exchange, url)


def test_coinbase_is_read_from_recorded_replies(replay: Replay) -> None:
    opened = datetime.fromtimestamp(1_712_188_800, UTC)
    at = datetime.fromtimestamp(1_712_192_400 + 3601, UTC)
    gateway = replay.gateway("COINBASE", at)

    markets = {market.trading_pair: market.rules for market in gateway.fetch_markets()}
    candles = gateway.fetch_candles("BTC/USD", "1h", opened, 300)
    ticker = gateway.fetch_ticker("BTC/USD")

    assert markets["BTC/USD"].amount_step == Decimal("0.00000001")
    assert (markets["BTC/USD"].minimum_cost, markets["BTC/USD"].taker_fee_fraction) == (1, Decimal("0.012"))
    assert [candle.opened_at for candle in candles] == [opened], "the second candle has closed a second ago"
    assert candles[0].close == Decimal("66314.59")
    assert (ticker.bid, ticker.ask, ticker.last) == (
        Decimal("68923.66"),
        Decimal("68923.67"),
        Decimal("68923.67"),
    )


def test_kraken_is_read_from_recorded_replies(replay: Replay) -> None:
    now = datetime.fromtimestamp(1_762_820_224, UTC)
    gateway = replay.gateway("KRAKEN", now, _0_public_Assets={"error": [], "result": {}})

    [market] = gateway.fetch_markets()
    candles = gateway.fetch_candles("BTC/USDT", "1m", now - timedelta(days=1), 10_000)
    ticker = gateway.fetch_ticker("BTC/USDT")

    assert market.rules.price_tick == Decimal("0.1")
    assert (market.rules.minimum_cost, market.rules.taker_fee_fraction) == (Decimal("0.5"), Decimal("0.004"))
    assert len(candles) == gateway.candles_per_call == 720
    assert now - timedelta(minutes=2) < candles[-1].opened_at <= now - timedelta(minutes=1)
    assert (ticker.bid, ticker.ask) == (Decimal("105944.2"), Decimal("105944.3"))
    assert datetime.now(UTC) - ticker.at < timedelta(minutes=1)


def test_web_processes_can_import_the_factory_without_ccxt() -> None:
    code = "import sys, exchanges.gateways, exchanges.gateway; print('ccxt' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )

    assert loaded.stdout.strip() == "False"
