"""Orders of one account on one market through ccxt.

An order is sent once. Its client id is what it is found again by; how an exchange takes and looks up that id
differs, and ccxt hides it badly. After an order is accepted it is read again, since the answers of Coinbase
and Kraken say nothing about fills.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

import ccxt

from bot_sdk.market_rules import MarketRules
from exchanges.ccxt_account import CcxtAccount
from exchanges.ccxt_errors import BROKEN, Phase
from exchanges.clocks import now_at
from exchanges.errors import ExchangeError, ExchangeUnavailable, OrderRejected, OutcomeUnknown
from exchanges.gateway import AccountFill, Fill, OrderReport, OrderState, PlacedOrder, Ticker
from exchanges.order_checks import require_acceptable, require_on_tick

ORDER_VALID_SECONDS = 5  # Kraken drops what reaches it later
WORST_PRICE_FRACTION = Decimal("0.02")  # beyond the best price that Coinbase's market order may pay
CLOCKS_APART = timedelta(seconds=60)  # how much earlier than we an exchange may date an order
ROWS_PER_CALL = 100
BINANCE_ROWS_PER_CALL = 1000
KRAKEN_ROWS_PER_CALL = 50  # it has no parameter for it
KRAKEN_TRADES_BY_ID = 19  # ccxt asks for 20 at once, and when none are left, once more for none: an error
DAY_MS = 24 * 60 * 60 * 1000  # Binance shows at most one day of trades or orders by time

STATES = {
    "open": OrderState.OPEN,
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}  # by ccxt's status; what it passes through unread (Coinbase's PENDING, QUEUED) is still open


@dataclass(frozen=True)
class Habits:
    """How an exchange takes our client id: ccxt's unified parameter is dropped by Coinbase."""

    client_id: str
    has_market_orders: bool = (
        True  # of a base amount, for both sides; else an immediate limit order stands in
    )


HABITS = {
    "BINANCE": Habits("clientOrderId"),
    "COINBASE": Habits("client_order_id", has_market_orders=False),
    "KRAKEN": Habits("clientOrderId"),
}


class CcxtTrading:
    """Place, find and cancel one account's orders on one market. For one task, and one thread."""

    def __init__(
        self, account: CcxtAccount, trading_pair: str, rules: MarketRules, ticker: Ticker | None
    ) -> None:
        """Trade `trading_pair` by its `rules`; `ticker` is what a market order's cost is estimated by.

        Without one there are no market orders.
        """
        self._account = account
        self._client = account.client
        self._exchange = account.exchange
        self._habits = HABITS[account.exchange]
        self._pair = trading_pair
        self._rules = rules
        self._ticker = ticker

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

        Nothing leaves at `send_by` or later. Raises OrderRejected, RateLimited and KeyRefused when it was
        definitely not accepted, ExchangeUnavailable when it never left, and OutcomeUnknown when nobody can
        tell, or when it was accepted but could not be read afterwards.
        """
        if self._ticker is None:
            raise OrderRejected("no_price: this gateway was opened without a price, so it only looks up.")
        price = self._ticker.ask if side == "BUY" else self._ticker.bid
        self._require(trading_pair, side, amount, price)
        if self._habits.has_market_orders:
            return self._create(side, amount, client_order_id, send_by=send_by)
        worst, params = self._worst_price(side, price), {"timeInForce": "IOC"}
        return self._create(side, amount, client_order_id, limit=worst, params=params, send_by=send_by)

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
        """Send one limit order; with `stop_price` it waits until a loss has gone that far.

        Prices are in quote per base and multiples of the tick. Raises what `create_market_order` raises.
        """
        self._require(trading_pair, side, amount, price)
        require_on_tick(price, self._rules)
        params = {}
        if stop_price is not None:
            require_on_tick(stop_price, self._rules)
            params = {"stopLossPrice": f"{stop_price:f}"}
        return self._create(side, amount, client_order_id, limit=price, params=params, send_by=send_by)

    def find_order(self, client_order_id: str, since: datetime) -> OrderReport | None:
        """Return the order that was sent with this id at `since` or later, or None when there is none.

        None is no proof while the order may still be on its way. Raises ExchangeUnavailable, KeyRefused.
        """
        with self._account.reading("an order by its client id"):
            order = self._find(client_order_id, since)
            return None if order is None else self._report(order)

    def fetch_order(self, exchange_order_id: str) -> OrderReport:
        """Return how an order stands.

        Raises ExchangeUnavailable, KeyRefused, and ExchangeError for an order that there is not.
        """
        with self._account.reading(f"order {exchange_order_id}"):
            return self._report(self._client.fetch_order(exchange_order_id, self._pair))

    def cancel_order(self, exchange_order_id: str) -> OrderReport:
        """Cancel the order and return how it ended: it may have been filled before.

        Raises ExchangeUnavailable when that cannot be told; canceling again is harmless.
        """
        with self._account.reading(f"the end of order {exchange_order_id}"):
            # these say that it has ended already: how, the next call tells
            with suppress(ccxt.OrderNotFound, ccxt.BadRequest):
                self._client.cancel_order(exchange_order_id, self._pair)
            return self._report(self._client.fetch_order(exchange_order_id, self._pair))

    def fetch_open_orders(self) -> list[OrderReport]:
        """Return the account's open orders on this market, ours or not."""
        with self._account.reading("its open orders"):
            asked = {"trades": True} if self._exchange == "KRAKEN" else {}
            orders = self._client.fetch_open_orders(self._pair, params=asked)
            return [self._report(order) for order in orders]

    def fetch_placed(self, since: datetime) -> list[PlacedOrder]:
        """Return what was ordered on the account and this market at `since` or later, ours or not.

        Each order once, the first that was placed first, however it ended; some that are older may be among
        them. Raises ExchangeUnavailable, KeyRefused.
        """
        with self._account.reading("its orders"):
            placed = {order["id"]: _placed(order) for order in self._orders_since(since)}
        return sorted(placed.values(), key=lambda each: (each.placed_at, each.exchange_order_id))

    def fetch_fills(self, since: datetime) -> list[AccountFill]:
        """Return what the account traded on this market at `since` or later, by us or by hand.

        In order of time. Raises ExchangeUnavailable, KeyRefused.
        """
        start = int(since.timestamp() * 1000)
        with self._account.reading("its trades"):
            rows = {row["id"]: row for row in self._trades_since(start) if row["timestamp"] >= start}
            fills = [AccountFill(row["order"], row["side"].upper(), _fill(row)) for row in rows.values()]
        return sorted(fills, key=lambda each: (each.fill.filled_at, each.fill.trade_id))

    def _require(self, trading_pair: str, side: str, amount: Decimal, price: Decimal) -> None:
        require_acceptable(
            market=self._pair,
            trading_pair=trading_pair,
            side=side,
            amount=amount,
            price=price,
            rules=self._rules,
        )

    def _worst_price(self, side: str, price: Decimal) -> Decimal:
        beyond = 1 + WORST_PRICE_FRACTION if side == "BUY" else 1 - WORST_PRICE_FRACTION
        rounding = ROUND_UP if side == "BUY" else ROUND_DOWN
        ticks = (price * beyond / self._rules.price_tick).to_integral_value(rounding)
        return max(ticks, Decimal(1)) * self._rules.price_tick

    def _create(
        self,
        side: str,
        amount: Decimal,
        client_order_id: str,
        *,
        limit: Decimal | None = None,
        params: Mapping[str, str] | None = None,
        send_by: datetime | None = None,
    ) -> OrderReport:
        what = f"an order to {side} {amount.normalize():f} {self._pair}"
        self._account.make_ready()
        sent = {**(params or {}), self._habits.client_id: client_order_id, **self._own_params()}
        with self._sending(what, send_by):
            kind, price = ("market", None) if limit is None else ("limit", f"{limit:f}")
            answer = self._client.create_order(self._pair, kind, side.lower(), f"{amount:f}", price, sent)
            number = answer.get("id")
            if not number:
                raise ccxt.NullResponse(f"no order id in {answer!r}")
        try:
            return self.fetch_order(number)
        except ExchangeError as error:
            raise OutcomeUnknown(
                f"{self._exchange} took {what} as {number}, but does not tell what became of it: {error}"
            ) from None

    def _own_params(self) -> dict[str, str]:
        """What Kraken alone has to be told: until when the order is good, and to take its fee in quote."""
        if self._exchange != "KRAKEN":
            return {}
        good_until = now_at(self._exchange) + timedelta(seconds=ORDER_VALID_SECONDS)
        return {"deadline": good_until.isoformat(), "oflags": "fciq"}

    @contextmanager
    def _sending(self, what: str, send_by: datetime | None) -> Iterator[None]:
        """Let nothing leave after `send_by`, and translate what went wrong, by whether anything had left."""
        guard = self._account.guard
        guard.has_sent, guard.send_by = False, send_by
        try:
            yield
        except Exception as error:  # whatever it is: once the order has left, it may have arrived
            is_ours = not isinstance(error, BROKEN)  # such as the rate budget's
            if is_ours and not guard.has_sent:
                raise
            phase = Phase.AFTER_SEND if guard.has_sent else Phase.BEFORE_SEND
            # "from None": what ccxt raised may carry the key or the signature of a call
            raise self._account.translated(error, phase, what) from None
        finally:
            guard.send_by = None

    def _find(self, client_order_id: str, since: datetime) -> Mapping[str, Any] | None:
        if self._exchange == "BINANCE":
            try:
                order: Mapping[str, Any] = self._client.fetch_order(
                    "", self._pair, {"origClientOrderId": client_order_id}
                )
            except ccxt.OrderNotFound:
                return None
            return order
        if self._exchange == "KRAKEN":
            # open ones first: one that ends in between is then among the closed
            asked = {"clientOrderId": client_order_id, "trades": True}
            found = self._client.fetch_open_orders(self._pair, params=asked)
            found = found or self._client.fetch_closed_orders(self._pair, params=asked)
        else:
            found = self._sent_since(since)
        return next((order for order in found if order["clientOrderId"] == client_order_id), None)

    def _orders_since(self, since: datetime) -> Iterator[Mapping[str, Any]]:
        """Go through the account's orders on this market from `since` on; some may come twice."""
        start = int(since.timestamp() * 1000)
        if self._exchange == "COINBASE":
            yield from self._sent_since(since)
        elif self._exchange == "KRAKEN":
            # open ones first: one that ends in between is then among the closed
            yield from self._client.fetch_open_orders(self._pair)
            yield from self._kraken_closed(start)
        else:
            for day in range(start, self._client.milliseconds() + 1, DAY_MS):
                yield from self._binance_orders({"startTime": day, "endTime": day + DAY_MS})

    def _binance_orders(self, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        while True:
            page = self._client.fetch_orders(self._pair, None, BINANCE_ROWS_PER_CALL, dict(asked))
            yield from page
            if len(page) < BINANCE_ROWS_PER_CALL:
                return
            # a time and an order's number cannot be asked for together
            asked = {"orderId": max(int(order["id"]) for order in page) + 1}

    def _kraken_closed(self, start: int) -> Iterator[Mapping[str, Any]]:
        # of all markets, as with trades
        asked, offset = {"start": start // 1000 - 1}, 0
        while True:
            page = self._client.fetch_closed_orders(params={**asked, "ofs": offset})
            yield from (order for order in page if order["symbol"] == self._pair)
            offset += len(page)
            if len(page) < KRAKEN_ROWS_PER_CALL:
                return

    def _sent_since(self, since: datetime) -> Iterator[Mapping[str, Any]]:
        """Go through Coinbase's orders, which cannot be asked for by our id."""
        start, cursor = int((since - CLOCKS_APART).timestamp() * 1000), ""
        while True:
            params = {"cursor": cursor} if cursor else {}
            page = self._client.fetch_orders(self._pair, start, ROWS_PER_CALL, params)
            yield from page
            cursor = _cursor_in(page)
            if not cursor:
                return

    def _report(self, order: Mapping[str, Any]) -> OrderReport:
        number, filled = order["id"], Decimal(order["filled"] or 0)
        fills = tuple(self._fills(order)) if filled else ()
        report = OrderReport(
            client_order_id=order["clientOrderId"] or "",
            exchange_order_id=number,
            state=_state(order),
            fills=fills,
        )
        if report.filled != filled:
            raise ExchangeUnavailable(
                f"{self._exchange} filled {filled} of order {number}, but lists {report.filled}; try again."
            )
        return report

    def _fills(self, order: Mapping[str, Any]) -> Iterator[Fill]:
        number = order["id"]
        if self._exchange == "KRAKEN":
            rows = self._kraken_trades_of(order)
        elif self._exchange == "BINANCE":
            rows = self._binance_trades_of(number)
        else:
            rows = self._coinbase_trades({"order_ids": [number]})
        for row in rows:
            yield _fill(row)

    def _trades_since(self, start: int) -> Iterator[Mapping[str, Any]]:
        """Go through the account's trades on this market from `start` (ms) on; some may come twice."""
        if self._exchange == "KRAKEN":
            yield from self._kraken_trades(start)
        elif self._exchange == "COINBASE":
            yield from self._coinbase_trades({"start_sequence_timestamp": self._client.iso8601(start)})
        else:
            for day in range(start, self._client.milliseconds() + 1, DAY_MS):
                yield from self._binance_trades({"startTime": day, "endTime": day + DAY_MS})

    def _binance_trades_of(self, number: str) -> Iterator[Mapping[str, Any]]:
        # without a trade to begin with it shows the newest
        page = self._client.fetch_my_trades(self._pair, None, BINANCE_ROWS_PER_CALL, {"orderId": number})
        is_all = len(page) < BINANCE_ROWS_PER_CALL
        yield from page if is_all else self._binance_trades({"orderId": number, "fromId": 0})

    def _binance_trades(self, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        of_order = {name: value for name, value in asked.items() if name == "orderId"}
        while True:
            page = self._client.fetch_my_trades(self._pair, None, BINANCE_ROWS_PER_CALL, dict(asked))
            yield from page
            if len(page) < BINANCE_ROWS_PER_CALL:
                return
            # a time and a trade's number cannot be asked for together
            asked = {**of_order, "fromId": max(int(row["id"]) for row in page) + 1}

    def _coinbase_trades(self, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            page = self._client.fetch_my_trades(self._pair, None, ROWS_PER_CALL, {**asked, **cursor})
            yield from page
            cursor = {"cursor": _cursor_in(page)}
            if not cursor["cursor"]:
                return

    def _kraken_trades_of(self, order: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for batch in itertools.batched(order["trades"], KRAKEN_TRADES_BY_ID):
            yield from self._client.fetch_order_trades(
                order["id"], self._pair, params={"trades": list(batch)}
            )

    def _kraken_trades(self, start: int) -> Iterator[Mapping[str, Any]]:
        # of all markets, since ccxt would leave others out of a page and hide whether it was full
        asked, offset = {"start": start // 1000 - 1}, 0
        while True:
            page = self._client.fetch_my_trades(params={**asked, "ofs": offset})
            yield from (row for row in page if row["symbol"] == self._pair)
            offset += len(page)
            if len(page) < KRAKEN_ROWS_PER_CALL:
                return


def _cursor_in(page: Sequence[Mapping[str, Any]]) -> str:
    """Return where Coinbase goes on; ccxt puts it on the first row that came, and then sorts them."""
    cursors = (str(row["info"].get("cursor") or "") for row in page)
    return next(filter(None, cursors), "")


def _state(order: Mapping[str, Any]) -> OrderState:
    return STATES.get(order["status"], OrderState.OPEN)


def _placed(order: Mapping[str, Any]) -> PlacedOrder:
    is_at_market = order["type"] == "market" or order["timeInForce"] == "IOC"
    stop = order["stopLossPrice"] or order["triggerPrice"]
    return PlacedOrder(
        client_order_id=order["clientOrderId"] or "",
        exchange_order_id=order["id"],
        side=order["side"].upper(),
        amount=Decimal(order["amount"] or 0),  # nothing where a cost was ordered, as a person may
        limit_price=None if is_at_market else Decimal(order["price"]),
        stop_price=Decimal(stop) if stop else None,
        placed_at=datetime.fromtimestamp(order["timestamp"] / 1000, UTC),
        is_open=_state(order) == OrderState.OPEN,
    )


def _fill(row: Mapping[str, Any]) -> Fill:
    price, amount = Decimal(row["price"]), Decimal(row["amount"])
    return Fill(
        trade_id=row["id"],
        price=price,
        amount=amount,
        cost=price * amount,
        fee=Decimal(row["fee"]["cost"]),
        fee_currency=row["fee"]["currency"],
        filled_at=datetime.fromtimestamp(row["timestamp"] / 1000, UTC),
    )
