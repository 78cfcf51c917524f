"""The words in which we talk to an exchange: what it tells us, and what we may ask of it.

Amounts, prices and costs are Decimal; times are aware UTC. Each method raises `exchanges.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from bot_sdk.market_rules import MarketRules

SETTLING = timedelta(seconds=2)  # after its end an exchange may still put a late trade into a candle
# how long after it left an order may still be taken; then it is in the exchange's lists, or never will be:
# what it is signed with (Binance's recvWindow, Kraken's deadline, Coinbase's token), Binance's 10 s for its
# engine, clocks a second apart, and a moment until a list shows it
ARRIVES_WITHIN = {
    "BINANCE": timedelta(seconds=16),
    "COINBASE": timedelta(seconds=125),
    "KRAKEN": timedelta(seconds=10),
}


@dataclass(frozen=True, slots=True)
class MarketInfo:
    """An active spot market as its exchange lists it."""

    trading_pair: str
    base: str
    quote: str
    rules: MarketRules


@dataclass(frozen=True, slots=True)
class CandleRow:
    """One closed candle: prices in quote per base, volume in base, stamped with its opening time."""

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Ticker:
    """The last trade's price and the best bid and ask, in quote per base, as of `at`."""

    last: Decimal
    bid: Decimal
    ask: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order: `amount` in base, `price` in quote per base, `cost` in quote."""

    trade_id: str
    price: Decimal
    amount: Decimal
    cost: Decimal
    fee: Decimal  # in fee_currency
    fee_currency: str
    filled_at: datetime


@dataclass(frozen=True, slots=True)
class AccountFill:
    """One execution on an account, with the order that it belongs to: ours, or one placed by hand."""

    exchange_order_id: str
    side: str  # "BUY" or "SELL"
    fill: Fill


class OrderState(StrEnum):
    """How an accepted order stands; each but OPEN is final, and each may have fills."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An exchange's answer about one accepted order. What it filled are its fills, whatever its state."""

    client_order_id: str
    exchange_order_id: str
    state: OrderState
    fills: tuple[Fill, ...]

    @property
    def filled(self) -> Decimal:
        """What the order bought or sold so far, in base."""
        return sum((fill.amount for fill in self.fills), Decimal(0))


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """What an accepted order of an account asked for: ours, or one placed by hand.

    `amount` is in base, prices in quote per base. `limit_price` is None for what trades at the market, also
    where an immediate limit order stands in for it.
    """

    client_order_id: str
    exchange_order_id: str
    side: str  # "BUY" or "SELL"
    amount: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    placed_at: datetime  # by the exchange's clock
    is_open: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds of one asset."""

    free: Decimal
    locked: Decimal  # in open orders

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


class PublicGateway(Protocol):
    """An exchange's market data, which needs no credentials."""

    @property
    def candles_per_call(self) -> int:
        """The most candles that one `fetch_candles` returns."""

    def fetch_markets(self) -> Sequence[MarketInfo]:
        """Return the active spot markets, fresh from the exchange."""

    def fetch_candles(
        self, trading_pair: str, timeframe: str, since: datetime, limit: int
    ) -> Sequence[CandleRow]:
        """Return closed candles in order of time, at most `limit`, opened at `since` or later.

        Closed is what the exchange's own clock says, a moment after the end. All candles that it has from
        `since` to min(limit, candles_per_call) durations later are among them; it may have none (no trades,
        no history).
        """

    @property
    def tells_all_prices(self) -> bool:
        """Whether one `fetch_tickers` brings the prices of all markets."""

    def fetch_tickers(self, trading_pair: str) -> Mapping[str, Ticker]:
        """Return the market's prices now, by trading pair, with all others that come in the same call."""

    def fetch_time(self) -> datetime:
        """Return the exchange's clock."""


class TradingGateway(Protocol):
    """A place that takes orders for one account."""

    def create_market_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        client_order_id: str,
        *,
        send_by: datetime | None = None,
    ) -> OrderReport:
        """Send one market order of `amount` base units; `side` is "BUY" or "SELL".

        Nothing leaves at `send_by` or later. Raises OrderRejected and KeyRefused when it was definitely not
        accepted, ExchangeUnavailable when it never left, and OutcomeUnknown when nobody can tell.
        """

    def create_limit_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        price: Decimal,
        client_order_id: str,
        *,
        stop_price: Decimal | None = None,
        send_by: datetime | None = None,
    ) -> OrderReport:
        """Send one limit order, which may stay open; with `stop_price` it waits for a loss that far.

        Raises what `create_market_order` raises.
        """

    def cancel_order(self, exchange_order_id: str) -> OrderReport:
        """Cancel the order and return how it ended. Raises ExchangeUnavailable when that cannot be told."""


class ExchangeGateway(TradingGateway, Protocol):
    """An exchange, which keeps orders and can be asked about them."""

    def find_order(self, client_order_id: str, since: datetime) -> OrderReport | None:
        """Return the order that was sent with this id at `since` or later; None when there is none.

        Raises ExchangeUnavailable, KeyRefused.
        """

    def fetch_order(self, exchange_order_id: str) -> OrderReport:
        """Return how an order stands. Raises ExchangeError."""

    def fetch_open_orders(self) -> Sequence[OrderReport]:
        """Return the account's open orders on the gateway's market, ours or not."""

    def fetch_placed(self, since: datetime) -> Sequence[PlacedOrder]:
        """Return what was ordered on the account and the gateway's market at `since` or later, ours or not.

        Each order once, the first that was placed first, however it ended; some that are older may be among
        them. Raises ExchangeUnavailable, KeyRefused.
        """

    def fetch_fills(self, since: datetime) -> Sequence[AccountFill]:
        """Return what the account traded on the gateway's market at `since` or later, by us or by hand.

        In order of time. Raises ExchangeUnavailable, KeyRefused.
        """
