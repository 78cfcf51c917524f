"""An exchange's public market data through ccxt."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any

import ccxt

from bot_sdk.market_rules import MarketRules
from bot_sdk.timeframes import TIMEFRAMES, duration
from exchanges.ccxt_client import make_client, profile_of
from exchanges.ccxt_errors import BROKEN, Phase, translated
from exchanges.errors import (
    ExchangeUnavailable,
    UnknownMarket,
    UnknownTimeframe,
)
from exchanges.gateway import SETTLING, CandleRow, MarketInfo, Ticker
from exchanges.rate_budget import MOST_WAIT_SECONDS, RateBudget

MARKETS_VALID_SECONDS = 3600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CcxtGateway:
    """One exchange's public data. Keeps connections and the market list; not for use by several threads."""

    def __init__(self, exchange: str, simulator_url: str | None, budget: RateBudget | None = None) -> None:
        """Make a client for "BINANCE", "COINBASE" or "KRAKEN"; nothing is sent yet.

        With `simulator_url` every request goes there. `budget` is what it shares with all other processes;
        without one it keeps to the exchange's pace by itself. Raises UnknownExchange for any other exchange.
        """
        self._exchange = exchange
        self._budget = budget
        self._profile = profile_of(exchange)
        self._client = make_client(self._profile, self._profile.hosts, simulator_url, budget)
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

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """Wait for the rate budget as long as it takes to have a turn, for what is asked once an hour."""
        if self._budget is None:
            yield
            return
        usual, self._budget.patience_seconds = self._budget.patience_seconds, MOST_WAIT_SECONDS
        try:
            yield
        finally:
            self._budget.patience_seconds = usual

    def lend_markets(self, client: ccxt.Exchange) -> None:
        """Let another client of the exchange use the markets that this one knows, without a call or a copy.

        Raises ExchangeUnavailable when they have to be asked for and do not come.
        """
        self._refresh_markets()
        client.set_markets_from_exchange(self._client)

    def fetch_candles(
        self, trading_pair: str, timeframe: str, since: datetime, limit: int
    ) -> list[CandleRow]:
        """Return closed candles in order of time, at most `limit`, opened at `since` or later.

        A candle counts as closed when the exchange, by the date of its answer, is two seconds past its end:
        until then it may still put in a late trade. Raises UnknownMarket and UnknownTimeframe before anything
        is asked for, and ExchangeUnavailable.
        """
        self._require_timeframe(timeframe)
        self._require_market(trading_pair)
        with self._asking(f"candles of {trading_pair}"):
            rows = self._client.fetch_ohlcv(
                trading_pair,
                timeframe,
                since=(since - EPOCH) // timedelta(milliseconds=1),
                limit=min(limit, self.candles_per_call),
            )
            answered_at = self._answered_at()
            candles = [CandleRow(_at(row[0]), *(_decimal(value) for value in row[1:6])) for row in rows]
        newest = answered_at - SETTLING - duration(timeframe)
        return [candle for candle in candles if since <= candle.opened_at <= newest]

    @property
    def tells_all_prices(self) -> bool:
        """Whether one `fetch_tickers` brings the prices of all markets."""
        return self._profile.tells_all_prices

    def fetch_ticker(self, trading_pair: str) -> Ticker:
        """Return last, bid and ask. `at` is the exchange's time of them, or ours if it gives none (Kraken).

        Raises UnknownMarket, and ExchangeUnavailable also when one of the three is missing.
        """
        self._require_market(trading_pair)
        with self._asking(f"the ticker of {trading_pair}"):
            return _ticker(self._client.fetch_ticker(trading_pair))

    def fetch_tickers(self, trading_pair: str) -> dict[str, Ticker]:
        """Return, by trading pair, what `fetch_ticker` does, and all others that come in the same call.

        Raises what `fetch_ticker` raises; others that lack one of the three are left out.
        """
        if not self.tells_all_prices:
            return {trading_pair: self.fetch_ticker(trading_pair)}
        self._require_market(trading_pair)
        with self._asking("all tickers"):
            rows = self._client.fetch_tickers()
            tickers = {trading_pair: _ticker(rows[trading_pair])}
            for pair, row in rows.items():
                with suppress(ValueError):  # without trades or offers, which is no other market's trouble
                    tickers[pair] = _ticker(row)
        return tickers

    def fetch_time(self) -> datetime:
        """Return the exchange's clock."""
        with self._asking("its time"):
            return _at(self._client.fetch_time())

    def _answered_at(self) -> datetime:
        """Return the exchange's time of its last answer, in whole seconds, without a call for it."""
        stamp = self._client.last_response_headers.get("Date")
        if stamp is None:
            raise ValueError("expected an answer with the header Date")
        return parsedate_to_datetime(stamp).astimezone(UTC)

    def _require_market(self, trading_pair: str) -> None:
        self._refresh_markets()
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

    def _refresh_markets(self) -> None:
        loaded_at = self._markets_loaded_at
        if loaded_at is None or monotonic() - loaded_at > MARKETS_VALID_SECONDS:
            self._load_markets()

    def _load_markets(self) -> None:
        with self.patiently(), self._asking("its markets"):
            markets = self._client.load_markets(reload=True)
        if not markets:
            raise ExchangeUnavailable(f"{self._exchange} answered without any market; try again later.")
        self._markets_loaded_at = monotonic()

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Translate what ccxt raises while it asks for `what`, and what comes of taking a reply apart."""
        try:
            yield
        except BROKEN as error:
            raise translated(self._exchange, error, Phase.READ, what) from error


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


def _ticker(row: Mapping[str, Any]) -> Ticker:
    stamp = row["timestamp"]
    return Ticker(
        last=_decimal(row["last"]),
        bid=_decimal(row["bid"]),
        ask=_decimal(row["ask"]),
        at=datetime.now(UTC) if stamp is None else _at(stamp),
    )


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
