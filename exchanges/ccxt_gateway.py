"""An exchange's public market data through ccxt, the only module that imports it.

ccxt's own request code runs unchanged. What we control sits below it, in the adapter of its HTTP session: a
client reaches its own exchange's hosts over https and nothing else, or, in their place, the simulator.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import ccxt
import requests
from requests.adapters import HTTPAdapter

from bot_sdk.market_rules import MarketRules
from bot_sdk.text import printable
from bot_sdk.timeframes import TIMEFRAMES, duration
from exchanges.errors import (
    ExchangeError,
    ExchangeUnavailable,
    UnknownExchange,
    UnknownMarket,
    UnknownTimeframe,
)
from exchanges.gateway import CandleRow, MarketInfo, Ticker

TIMEOUT_MS = 10_000  # to connect, and again between two pieces of an answer
MARKETS_VALID_SECONDS = 3600
ERROR_TEXT_LIMIT = 300  # characters of an exchange's error page that a message repeats
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Profile:
    """What we have to know about an exchange beside what ccxt knows."""

    ccxt_id: str
    hosts: frozenset[str]
    candles_per_call: int
    has_simulator: bool = False
    client_options: Mapping[str, Any] = field(default_factory=dict)


PROFILES = {
    "BINANCE": Profile(
        "binance",
        frozenset({"api.binance.com"}),
        candles_per_call=1000,
        has_simulator=True,
        # without these ccxt also asks the futures hosts for their markets
        client_options={
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}
        },
    ),
    "COINBASE": Profile(
        "coinbase",
        frozenset({"api.coinbase.com"}),
        candles_per_call=300,
        client_options={"has": {"fetchCurrencies": False}},  # three calls that the markets do not need
    ),
    "KRAKEN": Profile("kraken", frozenset({"api.kraken.com"}), candles_per_call=720),
}


class HostGuard(HTTPAdapter):
    """Let requests reach `hosts` over https only, or send them to the simulator that stands in for them.

    Rerouting here, below ccxt, keeps its choice of URLs and its error tables, which depend on the URL.
    """

    def __init__(self, hosts: frozenset[str], simulator_url: str | None) -> None:
        super().__init__()
        self._hosts = hosts
        self._simulator_url = simulator_url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raise requests' ConnectionError for any other host and for a success whose body is not JSON."""
        url = urlsplit(request.url or "")
        if url.scheme != "https" or url.hostname not in self._hosts:
            raise requests.ConnectionError(
                f"refused to contact {url.scheme}://{url.hostname};"
                f" allowed: https to {', '.join(sorted(self._hosts))}"
            )
        if self._simulator_url is not None:
            request = request.copy()
            request.headers["Host"] = url.netloc
            query = f"?{url.query}" if url.query else ""
            request.url = f"{self._simulator_url.rstrip('/')}{url.path}{query}"
        response = super().send(request, *args, **kwargs)
        if response.ok:
            _require_json(response)
        return response


class CcxtGateway:
    """One exchange's public data. Keeps connections and the market list; not for use by several threads."""

    def __init__(self, exchange: str, simulator_url: str | None) -> None:
        """Make a client for "BINANCE", "COINBASE" or "KRAKEN"; nothing is sent yet.

        With `simulator_url` every request goes there. Raises UnknownExchange for any other exchange and for
        one that the simulator does not speak for.
        """
        profile = PROFILES.get(exchange)
        if profile is None:
            raise UnknownExchange(f"Expected one of {', '.join(PROFILES)}, got {exchange!r}.")
        if simulator_url is not None and not profile.has_simulator:
            raise UnknownExchange(f"The simulator does not speak for {exchange}; set MARKET_DATA=live.")
        self._exchange = exchange
        self._profile = profile
        config = {"timeout": TIMEOUT_MS, "enableRateLimit": True, "number": str}
        self._client = getattr(ccxt, profile.ccxt_id)({**config, **profile.client_options})
        guard = HostGuard(profile.hosts, simulator_url)
        for scheme in ("https://", "http://"):
            self._client.session.mount(scheme, guard)
        self._markets_loaded_at: float | None = None

    @property
    def candles_per_call(self) -> int:
        """The most candles that one `fetch_candles` returns."""
        return self._profile.candles_per_call

    def fetch_markets(self) -> list[MarketInfo]:
        """Return the active spot markets whose steps are known, fresh from the exchange."""
        self._load_markets()
        with self._asking("its markets"):
            default_fee = self._client.fees["trading"]["taker"]
            infos = [_market_info(market, default_fee) for market in self._client.markets.values()]
        return [info for info in infos if info is not None]

    def fetch_candles(
        self, trading_pair: str, timeframe: str, since: datetime, limit: int
    ) -> list[CandleRow]:
        """Return closed candles in order of time, at most `limit`, opened at `since` or later.

        A candle counts as closed when the exchange's clock, read before the candles, has passed its end.
        Raises UnknownMarket and UnknownTimeframe before anything is asked for, and ExchangeUnavailable.
        """
        self._require_timeframe(timeframe)
        self._require_market(trading_pair)
        now = self.fetch_time()
        with self._asking(f"candles of {trading_pair}"):
            rows = self._client.fetch_ohlcv(
                trading_pair,
                timeframe,
                since=(since - EPOCH) // timedelta(milliseconds=1),
                limit=min(limit, self.candles_per_call),
            )
            candles = [CandleRow(_at(row[0]), *(_decimal(value) for value in row[1:6])) for row in rows]
        newest = now - duration(timeframe)
        return [candle for candle in candles if since <= candle.opened_at <= newest]

    def fetch_ticker(self, trading_pair: str) -> Ticker:
        """Return last, bid and ask. `at` is the exchange's time of them, or ours if it gives none (Kraken).

        Raises UnknownMarket, and ExchangeUnavailable also when one of the three is missing.
        """
        self._require_market(trading_pair)
        with self._asking(f"the ticker of {trading_pair}"):
            ticker = self._client.fetch_ticker(trading_pair)
            stamp = ticker["timestamp"]
            return Ticker(
                last=_decimal(ticker["last"]),
                bid=_decimal(ticker["bid"]),
                ask=_decimal(ticker["ask"]),
                at=datetime.now(UTC) if stamp is None else _at(stamp),
            )

    def fetch_time(self) -> datetime:
        """Return the exchange's clock."""
        with self._asking("its time"):
            return _at(self._client.fetch_time())

    def _require_market(self, trading_pair: str) -> None:
        loaded_at = self._markets_loaded_at
        if loaded_at is None or monotonic() - loaded_at > MARKETS_VALID_SECONDS:
            self._load_markets()
        if trading_pair not in self._client.markets:
            raise UnknownMarket(
                f"{self._exchange} does not list {trading_pair!r}; write it base/quote, such as BTC/USDT."
            )

    def _require_timeframe(self, timeframe: str) -> None:
        offered = [name for name in TIMEFRAMES if name in self._client.timeframes]
        if timeframe not in offered:
            raise UnknownTimeframe(
                f"{self._exchange} has no {timeframe!r} candles; choose one of {', '.join(offered)}."
            )

    def _load_markets(self) -> None:
        with self._asking("its markets"):
            markets = self._client.load_markets(reload=True)
        if not markets:
            raise ExchangeUnavailable(f"{self._exchange} answered without any market; try again later.")
        self._markets_loaded_at = monotonic()

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Translate what ccxt raises while it asks for `what`."""
        try:
            yield
        except ccxt.BadSymbol as error:
            raise UnknownMarket(f"{self._exchange} refused {what}: {_text(error)}") from error
        except ccxt.OperationFailed as error:
            raise ExchangeUnavailable(
                f"{self._exchange} did not answer when asked for {what}; try again later. {_text(error)}"
            ) from error
        except ccxt.BaseError as error:
            raise ExchangeError(f"{self._exchange} refused {what}: {_text(error)}") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # ccxt takes replies apart without checking them; one of another shape ends in any of these
            raise ExchangeUnavailable(
                f"{self._exchange} gave an unreadable answer when asked for {what}; try again later."
                f" {type(error).__name__}: {_text(error)}"
            ) from error


def _require_json(response: requests.Response) -> None:
    try:
        response.json()
    except ValueError as error:
        beginning = response.text[:ERROR_TEXT_LIMIT]
        raise requests.ConnectionError(f"expected JSON, got {beginning!r}") from error


def _market_info(market: Mapping[str, Any], default_fee: float) -> MarketInfo | None:
    """Read one ccxt market; None for what is no active spot market or has no price tick or amount step."""
    precision, limits = market["precision"], market["limits"]
    if not market["spot"] or not market["active"] or not precision["price"] or not precision["amount"]:
        return None
    price_tick, amount_step = _decimal(precision["price"]), _decimal(precision["amount"])
    if price_tick <= 0 or amount_step <= 0:
        return None
    rules = MarketRules(
        price_tick=price_tick,
        amount_step=amount_step,
        minimum_amount=_decimal(limits["amount"]["min"] or amount_step),
        minimum_cost=_decimal(limits["cost"]["min"] or 0),
        taker_fee_fraction=_decimal(default_fee if market["taker"] is None else market["taker"]),
    )
    return MarketInfo(market["symbol"], market["base"], market["quote"], rules)


def _decimal(value: object) -> Decimal:
    """Convert without passing through float. Raises ValueError for None, NaN and anything unreadable."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"expected a number, got {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"expected a number, got {value!r}")
    return number


def _at(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def _text(error: Exception) -> str:
    """Return what the error says, without characters that a database or a page cannot take."""
    return printable(str(error)[:ERROR_TEXT_LIMIT])
