"""Coinbase Advanced's REST protocol as far as ccxt calls it.

A bearer token names the key and the request's address. Fees are taken in quote, a client order id means the
same order for ever, and candles in which nobody traded are missing.
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from exchanges.simulator import signatures
from exchanges.simulator.http import Refusal, Reply, Request
from exchanges.simulator.limits import Leaking
from exchanges.simulator.listings import LISTINGS, Listing
from exchanges.simulator.market import MINUTE_MS, Column
from exchanges.simulator.venue import (
    Account,
    Execution,
    Force,
    Order,
    Reason,
    Refused,
    Side,
    State,
    Ticket,
    Venue,
)

HOST = "api.coinbase.com"
PREFIX = "/api/v3/brokerage"
PUBLIC_PER_SECOND, PRIVATE_PER_SECOND = 10, 30
CANDLES_MOST = 350
ROWS_DEFAULT = 100
ORDER_IDS = 0x51ED << 64  # what makes a UUID of an order's number
FILL_IDS = 0xF111 << 64

GRANULARITIES = {
    "ONE_MINUTE": 1,
    "FIVE_MINUTE": 5,
    "FIFTEEN_MINUTE": 15,
    "THIRTY_MINUTE": 30,
    "ONE_HOUR": 60,
    "TWO_HOUR": 120,
    "SIX_HOUR": 360,
    "ONE_DAY": 1440,
}  # minutes

REFUSALS = {
    Reason.UNKNOWN_MARKET: ("INVALID_PRODUCT_ID", "PREVIEW_INVALID_PRODUCT_ID"),
    Reason.OFF_TICK: ("INVALID_PRICE_PRECISION", "PREVIEW_INVALID_PRICE_PRECISION"),
    Reason.OFF_STEP: ("INVALID_SIZE_PRECISION", "PREVIEW_INVALID_SIZE_PRECISION"),
    Reason.TOO_SMALL: ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
    Reason.BELOW_MINIMUM_COST: ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
    Reason.NO_FUNDS: ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND"),
    Reason.WOULD_TAKE: ("INVALID_LIMIT_PRICE_POST_ONLY", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"),
    Reason.WOULD_TRIGGER: ("PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",) * 2,
}  # as error and preview_failure_reason

STATES = {
    State.WAITING: "OPEN",
    State.OPEN: "OPEN",
    State.FILLED: "FILLED",
    State.CANCELED: "CANCELLED",
    State.EXPIRED: "CANCELLED",  # what an immediate order leaves unfilled
}
FORCES = {
    Force.GTC: "GOOD_UNTIL_CANCELLED",
    Force.POST: "GOOD_UNTIL_CANCELLED",
    Force.IOC: "IMMEDIATE_OR_CANCEL",
    Force.FOK: "FILL_OR_KILL",
}

type Query = Mapping[str, str]
type Body = Mapping[str, Any]


class Coinbase:
    """Answers requests to api.coinbase.com."""

    def __init__(self, venue: Venue, *, has_limits: bool = True) -> None:
        self.venue = venue
        self._has_limits = has_limits
        self._public_calls = Leaking(PUBLIC_PER_SECOND, PUBLIC_PER_SECOND)
        self._private_calls = Leaking(PRIVATE_PER_SECOND, PRIVATE_PER_SECOND)
        self._public: list[tuple[str, Callable[[Query, str], object]]] = [
            ("GET /v2/time", self._time),
            (f"GET {PREFIX}/time", self._time_v3),
            (f"GET {PREFIX}/market/products", self._products),
            (f"GET {PREFIX}/market/products/([^/]+)", self._product),
            (f"GET {PREFIX}/market/products/([^/]+)/candles", self._candles),
            (f"GET {PREFIX}/market/products/([^/]+)/ticker", self._ticker),
            (f"GET {PREFIX}/market/product_book", self._product_book),
        ]
        self._private: list[tuple[str, str, Callable[[Account, Request, str], object]]] = [
            (f"GET {PREFIX}/key_permissions", "", self._key_permissions),
            (f"GET {PREFIX}/accounts", "read", self._accounts),
            (f"GET {PREFIX}/transaction_summary", "read", self._transaction_summary),
            (f"GET {PREFIX}/orders/historical/batch", "read", self._orders),
            (f"GET {PREFIX}/orders/historical/fills", "read", self._fills),
            (f"GET {PREFIX}/orders/historical/([^/]+)", "read", self._order),
            (f"POST {PREFIX}/orders", "trade", self._place),
            (f"POST {PREFIX}/orders/batch_cancel", "trade", self._cancel),
        ]

    def answer(self, request: Request) -> Reply:
        """Return the reply, a refusal included."""
        try:
            return Reply(self._answer(request))
        except Refusal as refused:
            return refused.reply

    def _answer(self, request: Request) -> object:
        operation = f"{request.method} {request.path}"
        for pattern, public in self._public:
            match = re.fullmatch(pattern, operation)
            if match:
                self._count(self._public_calls, "address")
                return public(request.parameters, match[1] if match.groups() else "")
        for pattern, right, private in self._private:
            match = re.fullmatch(pattern, operation)
            if match:
                account = self._account(request)
                self._count(self._private_calls, account.key)
                if right and right not in account.rights:
                    raise _refusal(403, "PERMISSION_DENIED", "Missing required scopes")
                with self.venue.lock:
                    self.venue.refresh()
                    return private(account, request, match[1] if match.groups() else "")
        raise _refusal(404, "not_found", f"This operation is not supported: {operation}")

    def _count(self, calls: Leaking, name: str) -> None:
        if self._has_limits and not calls.add(name, 1):
            raise _refusal(429, "rate_limit_exceeded", "Rate limit exceeded")

    def _account(self, request: Request) -> Account:
        """Return whose token this is, or refuse as the exchange does, in plain text."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        account = self.venue.accounts.get(signatures.coinbase_key_name(token))
        claims = None if account is None else signatures.coinbase_claims(account.secret, token)
        if account is None or claims is None or claims.get("sub") != account.key:
            raise Refusal("Unauthorized", 401)
        now = self.venue.clock.wall().timestamp()
        uri = f"{request.method} {HOST}{request.path}"
        is_of_request = uri in (claims.get("uri"), *claims.get("uris", ()))
        if not is_of_request or not float(claims.get("nbf", now + 1)) <= now < float(claims.get("exp", 0)):
            raise Refusal("Unauthorized", 401)
        return account

    def _time(self, _query: Query, _name: str) -> object:
        now = self.venue.clock.now()
        return {"data": {"iso": _iso(now), "epoch": int(now.timestamp())}}

    def _time_v3(self, _query: Query, _name: str) -> object:
        now = self.venue.clock.milliseconds()
        return {"iso": _iso_of(now), "epochSeconds": str(now // 1000), "epochMillis": str(now)}

    def _products(self, query: Query, _name: str) -> object:
        is_spot = query.get("product_type", "SPOT") == "SPOT"
        products = [self._product_reply(listing) for listing in LISTINGS.values()] if is_spot else []
        return {"products": products, "num_products": len(products), "pagination": None}

    def _product(self, _query: Query, name: str) -> object:
        return self._product_reply(_listing(name))

    def _product_reply(self, listing: Listing) -> dict[str, Any]:
        now = self.venue.clock.milliseconds()
        day = self.venue.market.last_day(listing.symbol, now).tolist()
        first, last = day[Column.OPEN], day[Column.CLOSE]
        volume = day[Column.VOLUME] * listing.step
        turnover = day[Column.COST] * listing.tick * listing.step
        return {
            "product_id": _product_id(listing),
            "price": _text(last * listing.tick),
            "price_percentage_change_24h": f"{(last - first) / first * 100:.6f}",
            "volume_24h": _text(volume),
            "volume_percentage_change_24h": "0",
            "base_increment": _text(listing.step),
            "quote_increment": _text(listing.tick),
            "quote_min_size": _text(listing.minimum_cost),
            "quote_max_size": "150000000",
            "base_min_size": _text(listing.step),
            "base_max_size": _text(Decimal(round(listing.volume * 100))),
            "base_name": listing.base,
            "quote_name": listing.quote,
            "watched": False,
            "is_disabled": False,
            "new": False,
            "status": "online",
            "cancel_only": False,
            "limit_only": False,
            "post_only": False,
            "trading_disabled": False,
            "auction_mode": False,
            "product_type": "SPOT",
            "quote_currency_id": listing.quote,
            "base_currency_id": listing.base,
            "fcm_trading_session_details": None,
            "mid_market_price": "",
            "alias": "",
            "alias_to": [],
            "base_display_symbol": listing.base,
            "quote_display_symbol": listing.quote,
            "view_only": False,
            "price_increment": _text(listing.tick),
            "display_name": _product_id(listing),
            "product_venue": "CBE",
            "approximate_quote_24h_volume": f"{turnover:.2f}",
            "new_at": "2023-01-01T00:00:00Z",
            "market_cap": "",
            "base_cbrn": "",
            "quote_cbrn": "",
            "product_cbrn": "",
            "icon_color": "",
            "icon_url": "",
            "display_name_overwrite": "",
            "is_alpha_testing": False,
            "about_description": "",
            "best_bid_price": "",
            "best_ask_price": "",
        }

    def _candles(self, query: Query, name: str) -> object:
        listing = _listing(name)
        minutes = GRANULARITIES.get(query.get("granularity", ""))
        start, end = _seconds(query, "start"), _seconds(query, "end")
        if minutes is None:
            raise _refusal(400, "INVALID_ARGUMENT", "granularity is invalid")
        span = minutes * MINUTE_MS
        first, last = -(-start * 1000 // span), end * 1000 // span
        if last - first >= CANDLES_MOST:
            raise _refusal(400, "INVALID_ARGUMENT", "number of candles requested should be less than 350")
        now = self.venue.clock.milliseconds()
        numbers, bars = self.venue.market.candles(listing.symbol, minutes, first, last, now)
        rows = [
            _candle(number * span // 1000, bar, listing)
            for number, bar in zip(numbers, bars.tolist(), strict=True)
            if bar[Column.VOLUME]
        ]
        return {"candles": rows[::-1]}

    def _ticker(self, query: Query, name: str) -> object:
        listing = _listing(name)
        now = self.venue.clock.milliseconds()
        number = self.venue.market.quote(listing.symbol, now).trade
        count = max(1, min(int(query["limit"]) if query.get("limit", "").isdecimal() else 1, ROWS_DEFAULT))
        price = _text(self.venue.last_price(listing.symbol))
        trade = {
            "product_id": _product_id(listing),
            "price": price,
            "size": _text(listing.step),
            "time": _iso_of(now),
            "side": "BUY",
            "bid": "",
            "ask": "",
            "exchange": "coinbase",
        }
        bids, asks = self._levels(listing, "bids", 1), self._levels(listing, "asks", 1)
        return {
            "trades": [{"trade_id": str(number - index), **trade} for index in range(count)],
            "best_bid": bids[0]["price"] if bids else "",
            "best_ask": asks[0]["price"] if asks else "",
        }

    def _product_book(self, query: Query, _name: str) -> object:
        listing = _listing(query.get("product_id", ""))
        count = max(1, int(query["limit"]) if query.get("limit", "").isdecimal() else 50)
        bids, asks = self._levels(listing, "bids", count), self._levels(listing, "asks", count)
        best_bid, best_ask = (Decimal(side[0]["price"]) if side else Decimal(0) for side in (bids, asks))
        middle = (best_bid + best_ask) / 2
        spread = best_ask - best_bid
        return {
            "pricebook": {
                "product_id": _product_id(listing),
                "bids": bids,
                "asks": asks,
                "time": _iso_of(self.venue.clock.milliseconds()),
            },
            "last": _text(self.venue.last_price(listing.symbol)),
            "mid_market": _text(middle),
            "spread_bps": f"{spread / middle * 10_000 if middle else 0:.6f}",
            "spread_absolute": _text(spread),
        }

    def _levels(self, listing: Listing, side: str, count: int) -> list[dict[str, str]]:
        with self.venue.lock:
            levels = self.venue.book(listing.symbol).levels(side, count)
        return [{"price": _text(price), "size": _text(amount)} for price, amount in levels]

    def _key_permissions(self, account: Account, _request: Request, _name: str) -> object:
        return {
            "can_view": "read" in account.rights,
            "can_trade": "trade" in account.rights,
            "can_transfer": bool(account.rights & {"transfer", "withdraw"}),
            "portfolio_uuid": str(UUID(int=1)),
            "portfolio_type": "DEFAULT",
        }

    def _accounts(self, account: Account, _request: Request, _name: str) -> object:
        locked = self.venue.locked(account)
        rows = [
            {
                "uuid": str(UUID(int=index)),
                "name": f"{asset} Wallet",
                "currency": asset,
                "available_balance": {
                    "value": _text(total - locked.get(asset, Decimal(0))),
                    "currency": asset,
                },
                "default": index == 1,
                "active": True,
                "created_at": "2021-05-31T09:59:59Z",
                "updated_at": "2024-01-15T10:30:00Z",
                "deleted_at": None,
                "type": "ACCOUNT_TYPE_CRYPTO",
                "ready": True,
                "hold": {"value": _text(locked.get(asset, Decimal(0))), "currency": asset},
                "retail_portfolio_id": str(UUID(int=1)),
            }
            for index, (asset, total) in enumerate(account.totals.items(), start=1)
        ]
        return {"accounts": rows, "has_next": False, "cursor": "", "size": len(rows)}

    def _transaction_summary(self, _account: Account, _request: Request, _name: str) -> object:
        terms = self.venue.terms
        return {
            "total_volume": 0,
            "total_fees": 0,
            "fee_tier": {
                "pricing_tier": "Advanced 1",
                "usd_from": "0",
                "usd_to": "1000",
                "taker_fee_rate": _text(terms.taker_fee),
                "maker_fee_rate": _text(terms.maker_fee),
                "aop_from": "",
                "aop_to": "",
            },
            "margin_rate": None,
            "goods_and_services_tax": None,
            "advanced_trade_only_volume": 0,
            "advanced_trade_only_fees": 0,
            "coinbase_pro_volume": 0,
            "coinbase_pro_fees": 0,
        }

    def _place(self, account: Account, request: Request, _name: str) -> object:
        body = _body(request)
        ticket = _ticket(body)
        try:
            order = self.venue.place(account, ticket)
        except Refused as refused:
            error, preview = REFUSALS[refused.reason]
            return {
                "success": False,
                "failure_reason": "UNKNOWN_FAILURE_REASON",
                "order_id": "",
                "error_response": {
                    "error": error,
                    "message": refused.reason.value,
                    "error_details": "",
                    "preview_failure_reason": preview,
                },
                "order_configuration": body["order_configuration"],
            }
        return {
            "success": True,
            "failure_reason": "UNKNOWN_FAILURE_REASON",
            "order_id": _order_id(order),
            "success_response": {
                "order_id": _order_id(order),
                "product_id": _product_id(LISTINGS[order.ticket.symbol]),
                "side": order.ticket.side.value,
                "client_order_id": order.ticket.client_id,
                "attached_order_id": "",
            },
            "order_configuration": body["order_configuration"],
        }

    def _cancel(self, account: Account, request: Request, _name: str) -> object:
        names = _body(request).get("order_ids")
        if not isinstance(names, list) or not names:
            raise _refusal(400, "INVALID_ARGUMENT", "order_ids must be a list of order ids")
        return {"results": [self._cancel_one(account, str(name)) for name in names]}

    def _cancel_one(self, account: Account, name: str) -> dict[str, object]:
        order = account.orders.get(_order_number(name))
        reason = "UNKNOWN_CANCEL_FAILURE_REASON"
        if order is None:
            reason = "UNKNOWN_CANCEL_ORDER"
        elif not order.is_open:
            reason = "INVALID_CANCEL_REQUEST"
        else:
            self.venue.cancel(order)
        is_done = reason == "UNKNOWN_CANCEL_FAILURE_REASON"
        return {"success": is_done, "failure_reason": reason, "order_id": name}

    def _order(self, account: Account, _request: Request, name: str) -> object:
        order = account.orders.get(_order_number(name))
        if order is None:
            raise _refusal(404, "unknown", "order with this orderID was not found")
        return {"order": _order_reply(order)}

    def _orders(self, account: Account, request: Request, _name: str) -> object:
        query = request.parameters
        since, until = _moment(query, "start_date"), _moment(query, "end_date")
        orders = [
            order
            for order in account.orders.values()
            if query.get("product_id", "") in ("", _product_id(LISTINGS[order.ticket.symbol]))
            and query.get("order_status", "") in ("", STATES[order.state])
            and (since or 0) <= order.created_at <= (until or order.created_at)
        ]
        page, cursor = _page(orders[::-1], query)
        rows = [_order_reply(order) for order in page]
        return {"orders": rows, "sequence": "0", "has_next": bool(cursor), "cursor": cursor}

    def _fills(self, account: Account, request: Request, _name: str) -> object:
        query = request.parameters
        since = _moment(query, "start_sequence_timestamp")
        until = _moment(query, "end_sequence_timestamp")
        rows = [
            _fill(order, each)
            for order in account.orders.values()
            if query.get("product_id", "") in ("", _product_id(LISTINGS[order.ticket.symbol]))
            and query.get("order_ids", "") in ("", _order_id(order))
            for each in order.executions
            if (since or 0) <= each.at <= (until or each.at)
        ]
        rows.sort(key=lambda row: str(row["sequence_timestamp"]), reverse=True)
        page, cursor = _page(rows, query)
        return {"fills": page, "cursor": cursor}


def _refusal(status: int, error: str, message: str) -> Refusal:
    return Refusal({"error": error, "error_details": message, "message": message}, status)


def _product_id(listing: Listing) -> str:
    return f"{listing.base}-{listing.quote}"


def _listing(name: str) -> Listing:
    listing = LISTINGS.get(name.replace("-", ""))
    if listing is None or _product_id(listing) != name:
        raise _refusal(404, "NOT_FOUND", "valid product_id is required")
    return listing


def _body(request: Request) -> Body:
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _refusal(400, "INVALID_ARGUMENT", "the body is not a JSON object")
    return body


def _ticket(body: Body) -> Ticket:
    configurations = body.get("order_configuration")
    client_id = str(body.get("client_order_id", ""))
    side = body.get("side")
    if side not in ("BUY", "SELL") or not client_id:
        raise _refusal(400, "INVALID_ARGUMENT", "side and client_order_id are required")
    if not isinstance(configurations, dict) or len(configurations) != 1:
        raise _refusal(400, "INVALID_ARGUMENT", "order_configuration must have exactly one entry")
    [(kind, terms)] = configurations.items()
    forces = {
        "market_market_ioc": Force.IOC,
        "sor_limit_ioc": Force.IOC,
        "limit_limit_fok": Force.FOK,
        "limit_limit_gtc": Force.POST if terms.get("post_only") else Force.GTC,
        "stop_limit_stop_limit_gtc": Force.GTC,
    }
    if kind not in forces:
        raise _refusal(400, "UNSUPPORTED_ORDER_CONFIGURATION", f"{kind} is not supported")
    cost = _number(terms, "quote_size") if "quote_size" in terms else None
    return Ticket(
        symbol=str(body.get("product_id", "")).replace("-", ""),
        side=Side(side),
        amount=_number(terms, "base_size") if cost is None else None,
        cost=cost,
        limit=_number(terms, "limit_price") if kind != "market_market_ioc" else None,
        stop=_number(terms, "stop_price") if kind.startswith("stop_") else None,
        is_stop_above=terms.get("stop_direction") == "STOP_DIRECTION_STOP_UP",
        force=forces[kind],
        client_id=client_id,
        fee_is_in_cost=True,
    )


def _number(terms: Mapping[str, Any], name: str) -> Decimal:
    try:
        number = Decimal(str(terms.get(name)))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise _refusal(400, "INVALID_ARGUMENT", f"{name} must be a positive number")
    return number


def _configuration(ticket: Ticket) -> dict[str, dict[str, object]]:
    size: dict[str, object] = {"base_size": _text(ticket.amount or Decimal(0))}
    if ticket.cost is not None:
        size = {"quote_size": _text(ticket.cost)}
    if ticket.limit is None:
        return {"market_market_ioc": size}
    limit = {**size, "limit_price": _text(ticket.limit)}
    if ticket.stop is not None:
        direction = "STOP_DIRECTION_STOP_UP" if ticket.is_stop_above else "STOP_DIRECTION_STOP_DOWN"
        stop = {"stop_price": _text(ticket.stop), "stop_direction": direction}
        return {"stop_limit_stop_limit_gtc": {**limit, **stop}}
    if ticket.force in (Force.IOC, Force.FOK):
        return {"sor_limit_ioc" if ticket.force == Force.IOC else "limit_limit_fok": limit}
    return {"limit_limit_gtc": {**limit, "post_only": ticket.force == Force.POST}}


def _order_reply(order: Order) -> dict[str, Any]:
    ticket = order.ticket
    is_buy = ticket.side == Side.BUY
    share = order.filled / order.amount * 100 if order.amount else Decimal(0)
    kind = "MARKET" if ticket.limit is None else "LIMIT"
    trigger = "INVALID_ORDER_TYPE"
    if ticket.stop is not None:
        kind = "STOP_LIMIT"
        trigger = "STOP_PENDING" if order.state == State.WAITING else "STOP_TRIGGERED"
    held = order.remaining * (ticket.limit or Decimal(0)) if is_buy else order.remaining
    return {
        "order_id": _order_id(order),
        "product_id": _product_id(LISTINGS[ticket.symbol]),
        "user_id": str(UUID(int=2)),
        "order_configuration": _configuration(ticket),
        "side": ticket.side.value,
        "client_order_id": ticket.client_id,
        "status": STATES[order.state],
        "time_in_force": FORCES[ticket.force],
        "created_time": _iso_of(order.created_at),
        "completion_percentage": _text(share),
        "filled_size": _text(order.filled),
        "average_filled_price": _text(order.average),
        "fee": "",
        "number_of_fills": str(len(order.executions)),
        "filled_value": _text(order.cost),
        "pending_cancel": False,
        "size_in_quote": ticket.cost is not None,
        "total_fees": _text(order.fee),
        "size_inclusive_of_fees": ticket.cost is not None,
        "total_value_after_fees": _text(order.cost + order.fee if is_buy else order.cost - order.fee),
        "trigger_status": trigger,
        "order_type": kind,
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": order.state == State.FILLED,
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "",
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": _text(held if order.is_open else Decimal(0)),
        "is_liquidation": False,
        "last_fill_time": _iso_of(order.executions[-1].at) if order.executions else None,
        "leverage": "",
        "margin_type": "",
        "retail_portfolio_id": str(UUID(int=1)),
        "originating_order_id": "",
        "attached_order_id": "",
    }


def _fill(order: Order, execution: Execution) -> dict[str, Any]:
    return {
        "entry_id": str(UUID(int=FILL_IDS + execution.number)),
        "trade_id": str(UUID(int=FILL_IDS + execution.number)),
        "order_id": _order_id(order),
        "trade_time": _iso_of(execution.at),
        "trade_type": "FILL",
        "price": _text(execution.price),
        "size": _text(execution.amount),
        "commission": _text(execution.fee),
        "product_id": _product_id(LISTINGS[order.ticket.symbol]),
        "sequence_timestamp": _iso_of(execution.at),
        "liquidity_indicator": "MAKER" if execution.is_maker else "TAKER",
        "size_in_quote": False,
        "user_id": str(UUID(int=2)),
        "side": order.ticket.side.value,
        "retail_portfolio_id": str(UUID(int=1)),
    }


def _candle(start: int, bar: list[int], listing: Listing) -> dict[str, str]:
    return {
        "start": str(start),
        "low": _text(bar[Column.LOW] * listing.tick),
        "high": _text(bar[Column.HIGH] * listing.tick),
        "open": _text(bar[Column.OPEN] * listing.tick),
        "close": _text(bar[Column.CLOSE] * listing.tick),
        "volume": _text(bar[Column.VOLUME] * listing.step),
    }


def _page[Row](rows: list[Row], query: Query) -> tuple[list[Row], str]:
    """Return the page that the cursor names, and the cursor of the next one."""
    limit = int(query["limit"]) if query.get("limit", "").isdecimal() else ROWS_DEFAULT
    start = int(query["cursor"]) if query.get("cursor", "").isdecimal() else 0
    stop = start + max(1, limit)
    return rows[start:stop], str(stop) if stop < len(rows) else ""


def _order_id(order: Order) -> str:
    return str(UUID(int=ORDER_IDS + order.number))


def _order_number(name: str) -> int:
    """Return the number that an order id was made of; 0 for anything else."""
    try:
        return UUID(name).int - ORDER_IDS
    except ValueError:
        return 0


def _seconds(query: Query, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", query.get(name, "")):
        raise _refusal(400, "INVALID_ARGUMENT", f"{name} must be in seconds since 1970")
    return int(query[name])


def _moment(query: Query, name: str) -> int | None:
    """Return an ISO time in ms, or None where there is none."""
    if not query.get(name):
        return None
    try:
        return int(datetime.fromisoformat(query[name]).timestamp() * 1000)
    except ValueError:
        raise _refusal(400, "INVALID_ARGUMENT", f"{name} must be an RFC3339 time") from None


def _iso_of(milliseconds: int) -> str:
    return _iso(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _text(number: Decimal) -> str:
    """Write a number without trailing zeros, never with an exponent."""
    return f"{number.normalize():f}"
