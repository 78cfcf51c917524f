"""Kraken's spot REST protocol as far as ccxt calls it.

Everything is answered with status 200; a refusal is a line in `error`. Nonces only ever go up. Fees are taken
in quote, and candles in which nobody traded are missing.
https://docs.kraken.com/api/docs/rest-api
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import format_datetime
from typing import Any

import numpy as np

from exchanges.simulator import signatures
from exchanges.simulator.http import Refusal, Reply, Request
from exchanges.simulator.limits import Leaking
from exchanges.simulator.listings import LISTINGS, Listing
from exchanges.simulator.market import DAY_MS, MINUTE_MS, Column
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

CANDLES_MOST = 720  # and never older ones
ROWS_PER_PAGE = 50
PUBLIC_BURST, PUBLIC_PER_SECOND = 10, 1.0
COUNTER_MOST, COUNTER_PER_SECOND = 15, 1 / 3
COUNTS = {"AddOrder": 0, "CancelOrder": 0, "TradesHistory": 2}  # others count 1
INTERVALS = (1, 5, 15, 30, 60, 240, 1440)  # minutes
ASSETS = {"BTC": "XXBT", "ETH": "XETH", "XRP": "XXRP", "LTC": "XLTC"}  # others go by their own name
ALTERNATIVE_NAMES = {"BTC": "XBT"}
CLIENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[ -~]{1,18}")
KINDS = ("market", "limit", "stop-loss", "take-profit", "stop-loss-limit", "take-profit-limit")

REFUSALS = {
    Reason.UNKNOWN_MARKET: "EQuery:Unknown asset pair",
    Reason.UNKNOWN_ORDER: "EOrder:Unknown order",
    Reason.NOT_OPEN: "EOrder:Unknown order",
    Reason.OFF_TICK: "EOrder:Tick size check failed",
    Reason.OFF_STEP: "EGeneral:Invalid arguments:volume",
    Reason.TOO_SMALL: "EOrder:Order minimum not met",
    Reason.BELOW_MINIMUM_COST: "EOrder:Cost minimum not met",
    Reason.NO_FUNDS: "EOrder:Insufficient funds",
    Reason.DUPLICATE: "EGeneral:Invalid arguments:cl_ord_id",
    Reason.WOULD_TAKE: "EOrder:Post only order",
    Reason.WOULD_TRIGGER: "EOrder:Trigger price would be triggered at once",
}
STATES = {
    State.WAITING: "open",
    State.OPEN: "open",
    State.FILLED: "closed",
    State.CANCELED: "canceled",
    State.EXPIRED: "canceled",  # what an immediate order leaves unfilled
}
RIGHTS = {
    "read": ["query-funds", "query-open-trades", "query-closed-trades"],
    "trade": ["modify-trades", "close-trades"],
    "withdraw": ["withdraw-funds"],
    "transfer": ["transfer-funds"],
}

type Query = Mapping[str, str]


class Kraken:
    """Answers requests to api.kraken.com."""

    def __init__(self, venue: Venue, *, has_limits: bool = True) -> None:
        self.venue = venue
        self._has_limits = has_limits
        self._public_calls = Leaking(PUBLIC_BURST, PUBLIC_PER_SECOND)
        self._private_calls = Leaking(COUNTER_MOST, COUNTER_PER_SECOND)
        self._public: dict[str, Callable[[Query], object]] = {
            "Time": self._time,
            "SystemStatus": self._system_status,
            "Assets": self._assets,
            "AssetPairs": self._asset_pairs,
            "OHLC": self._candles,
            "Ticker": self._ticker,
            "Depth": self._depth,
        }
        self._private: dict[str, tuple[str, Callable[[Account, Query], object]]] = {
            "GetApiKeyInfo": ("", self._key_info),
            "Balance": ("read", self._balance),
            "BalanceEx": ("read", self._extended_balance),
            "QueryOrders": ("read", self._query_orders),
            "OpenOrders": ("read", self._open_orders),
            "ClosedOrders": ("read", self._closed_orders),
            "QueryTrades": ("read", self._query_trades),
            "TradesHistory": ("read", self._trades),
            "AddOrder": ("trade", self._place),
            "CancelOrder": ("trade", self._cancel),
        }

    def answer(self, request: Request) -> Reply:
        """Return the reply; a refusal too has status 200."""
        try:
            return Reply({"error": [], "result": self._answer(request)})
        except Refused as refused:
            return Reply({"error": [REFUSALS[refused.reason]]})
        except Refusal as refused:
            return refused.reply

    def _answer(self, request: Request) -> object:
        _, _, access, name = (request.path.split("/", 3) + [""] * 4)[:4]
        if access == "public" and request.method == "GET" and name in self._public:
            self._count(self._public_calls, "address", 1)
            return self._public[name](request.parameters)
        if access == "private" and request.method == "POST" and name in self._private:
            right, endpoint = self._private[name]
            account = self._account(request)
            self._count(self._private_calls, account.key, COUNTS.get(name, 1))
            if right and right not in account.rights:
                raise _refusal("EGeneral:Permission denied")
            with self.venue.lock:
                self.venue.refresh()
                return endpoint(account, request.parameters)
        raise _refusal("EGeneral:Unknown method")

    def _count(self, calls: Leaking, name: str, weight: float) -> None:
        if self._has_limits and not calls.add(name, weight):
            raise _refusal("EAPI:Rate limit exceeded")

    def _account(self, request: Request) -> Account:
        account = self.venue.accounts.get(request.headers.get("api-key", ""))
        if account is None:
            raise _refusal("EAPI:Invalid key")
        nonce = request.parameters.get("nonce", "")
        signature = request.headers.get("api-sign", "")
        if not signatures.is_kraken(account.secret, request.path, nonce, request.body, signature):
            raise _refusal("EAPI:Invalid signature")
        with self.venue.lock:
            if not nonce.isdecimal() or int(nonce) <= account.nonce:
                raise _refusal("EAPI:Invalid nonce")
            account.nonce = int(nonce)
        return account

    def _time(self, _query: Query) -> object:
        now = self.venue.clock.now()
        return {"unixtime": int(now.timestamp()), "rfc1123": format_datetime(now)}

    def _system_status(self, _query: Query) -> object:
        return {"status": "online", "timestamp": self.venue.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _assets(self, _query: Query) -> object:
        names = {name for listing in LISTINGS.values() for name in (listing.base, listing.quote)}
        return {
            _asset(name): {
                "aclass": "currency",
                "altname": ALTERNATIVE_NAMES.get(name, name),
                "decimals": 10,
                "display_decimals": 5,
                "status": "enabled",
            }
            for name in sorted(names)
        }

    def _asset_pairs(self, query: Query) -> object:
        return {_pair(each): self._pair_info(each) for each in _listings(query)}

    def _pair_info(self, listing: Listing) -> dict[str, Any]:
        terms = self.venue.terms
        return {
            "altname": _altname(listing),
            "wsname": "/".join(ALTERNATIVE_NAMES.get(name, name) for name in (listing.base, listing.quote)),
            "aclass_base": "currency",
            "base": _asset(listing.base),
            "aclass_quote": "currency",
            "quote": _asset(listing.quote),
            "lot": "unit",
            "cost_decimals": 5,
            "pair_decimals": _places(listing.tick),
            "lot_decimals": _places(listing.step),
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [[0, float(terms.taker_fee * 100)]],
            "fees_maker": [[0, float(terms.maker_fee * 100)]],
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": str(listing.step),
            "costmin": str(listing.minimum_cost),
            "tick_size": str(listing.tick),
            "status": "online",
            "long_position_limit": 80,
            "short_position_limit": 80,
        }

    def _candles(self, query: Query) -> object:
        [listing] = _listings(query, one=True)
        interval = query.get("interval", "1")
        if not interval.isdecimal() or int(interval) not in INTERVALS:
            raise _refusal("EGeneral:Invalid arguments")
        span = int(interval) * MINUTE_MS
        now = self.venue.clock.milliseconds()
        newest = now // span
        since = int(query["since"]) if query.get("since", "").lstrip("-").isdecimal() else 0
        first = max(since * 1000 // span + 1, newest - CANDLES_MOST + 1)
        numbers, bars = self.venue.market.candles(listing.symbol, int(interval), first, newest, now)
        rows = [
            _candle(number * span // 1000, bar, listing)
            for number, bar in zip(numbers, bars.tolist(), strict=True)
            if bar[Column.VOLUME]
        ]
        return {_pair(listing): rows, "last": (newest - 1) * span // 1000}

    def _ticker(self, query: Query) -> object:
        return {_pair(each): self._ticker_of(each) for each in _listings(query)}

    def _ticker_of(self, listing: Listing) -> dict[str, Any]:
        now = self.venue.clock.milliseconds()
        minutes_today = now % DAY_MS // MINUTE_MS + 1
        current = now // MINUTE_MS
        _, bars = self.venue.market.candles(listing.symbol, 1, current - minutes_today + 1, current, now)
        day = self.venue.market.last_day(listing.symbol, now).tolist()
        today = [int(bars[:, column].sum()) for column in range(len(Column))]
        volumes = [each[Column.VOLUME] for each in (today, day)]
        costs = [each[Column.COST] for each in (today, day)]
        averages = [cost / volume if volume else 0 for cost, volume in zip(costs, volumes, strict=True)]
        return {
            "a": self._best(listing, "asks"),
            "b": self._best(listing, "bids"),
            "c": [_price(self.venue.last_price(listing.symbol), listing), f"{listing.step:.8f}"],
            "v": [f"{volume * listing.step:.8f}" for volume in volumes],
            "p": [_price(Decimal(average) * listing.tick, listing) for average in averages],
            "t": [each[Column.TRADES] for each in (today, day)],
            "l": [
                _price(low * listing.tick, listing)
                for low in (int(bars[:, Column.LOW].min()), day[Column.LOW])
            ],
            "h": [
                _price(high * listing.tick, listing)
                for high in (int(bars[:, Column.HIGH].max()), day[Column.HIGH])
            ],
            "o": _price(int(bars[0, Column.OPEN]) * listing.tick, listing),
        }

    def _best(self, listing: Listing, side: str) -> list[str]:
        with self.venue.lock:
            levels = self.venue.book(listing.symbol).levels(side, 1)
        price, amount = levels[0] if levels else (Decimal(0), Decimal(0))
        return [_price(price, listing), str(int(amount)), f"{amount:.3f}"]

    def _depth(self, query: Query) -> object:
        [listing] = _listings(query, one=True)
        count = int(query["count"]) if query.get("count", "").isdecimal() else 100
        at = int(self.venue.clock.now().timestamp())
        with self.venue.lock:
            book = self.venue.book(listing.symbol)
            sides = {side: book.levels(side, max(1, min(count, 500))) for side in ("asks", "bids")}
        return {
            _pair(listing): {
                side: [[_price(price, listing), f"{amount:.3f}", at] for price, amount in levels]
                for side, levels in sides.items()
            }
        }

    def _key_info(self, account: Account, _query: Query) -> object:
        return {
            "apiKeyName": "simulated",
            "apiKey": account.key,
            "nonce": str(account.nonce),
            "nonceWindow": 0,
            "permissions": [name for right in sorted(account.rights) for name in RIGHTS[right]],
            "iban": "",
            "validUntil": "0",
            "queryFrom": "0",
            "queryTo": "0",
            "createdTime": "1600000000",
            "modifiedTime": "1600000000",
            "ipAllowlist": ["127.0.0.1"] if account.is_restricted else [],
            "lastUsed": str(int(self.venue.clock.now().timestamp())),
        }

    def _balance(self, account: Account, _query: Query) -> object:
        return {_asset(name): f"{total:.8f}" for name, total in account.totals.items()}

    def _extended_balance(self, account: Account, _query: Query) -> object:
        locked = self.venue.locked(account)
        return {
            _asset(name): {"balance": f"{total:.8f}", "hold_trade": f"{locked.get(name, Decimal(0)):.8f}"}
            for name, total in account.totals.items()
        }

    def _place(self, account: Account, query: Query) -> object:
        ticket = _ticket(query)
        deadline = _moment(query.get("deadline", ""))
        if deadline is not None and self.venue.clock.now() > deadline:
            raise _refusal("EService:Deadline elapsed")
        description = _description(ticket)
        if query.get("validate") == "true":
            return {"descr": description}
        order = self.venue.place(account, ticket)
        return {"descr": description, "txid": [_order_id(order)]}

    def _cancel(self, account: Account, query: Query) -> object:
        self.venue.cancel(_find(account, query))
        return {"count": 1}

    def _query_orders(self, account: Account, query: Query) -> object:
        found = {}
        for name in query.get("txid", "").split(","):
            order = account.orders.get(_number_of(name))
            if order is None:
                raise _refusal("EOrder:Invalid order")
            found[name] = _order_reply(order, has_trades=_has_trades(query))
        return found

    def _open_orders(self, account: Account, query: Query) -> object:
        orders = [order for order in account.open_orders() if _is_asked_for(order, query)]
        has_trades = _has_trades(query)
        return {"open": {_order_id(order): _order_reply(order, has_trades=has_trades) for order in orders}}

    def _closed_orders(self, account: Account, query: Query) -> object:
        since, until = _seconds(query, "start"), _seconds(query, "end")
        orders = [
            order
            for order in account.orders.values()
            if not order.is_open
            and _is_asked_for(order, query)
            and (since or 0) <= order.updated_at <= (until or order.updated_at)
        ]
        newest_first = sorted(orders, key=lambda order: order.updated_at, reverse=True)
        page = _page(newest_first, query)
        has_trades = _has_trades(query)
        closed = {_order_id(each): _order_reply(each, has_trades=has_trades) for each in page}
        return {"closed": closed, "count": len(orders)}

    def _query_trades(self, account: Account, query: Query) -> object:
        named = {
            _trade_id(each): (order, each) for order in account.orders.values() for each in order.executions
        }
        names = query.get("txid", "").split(",")
        if any(name not in named for name in names):
            raise _refusal("EGeneral:Invalid arguments:txid")
        return {name: _trade(*named[name]) for name in names}

    def _trades(self, account: Account, query: Query) -> object:
        since, until = _seconds(query, "start"), _seconds(query, "end")
        rows = [
            (order, each)
            for order in account.orders.values()
            for each in order.executions
            if (since or 0) <= each.at <= (until or each.at)
        ]
        rows.sort(key=lambda row: row[1].number, reverse=True)
        page = _page(rows, query)
        return {
            "trades": {_trade_id(each): _trade(order, each) for order, each in page},
            "count": len(rows),
        }


def _refusal(error: str) -> Refusal:
    return Refusal({"error": [error]}, 200)


def _asset(name: str) -> str:
    return ASSETS.get(name, name)


def _altname(listing: Listing) -> str:
    return "".join(ALTERNATIVE_NAMES.get(name, name) for name in (listing.base, listing.quote))


def _pair(listing: Listing) -> str:
    """Return the name that replies use: the long one where both assets have one."""
    if listing.base in ASSETS and listing.quote in ASSETS:
        return ASSETS[listing.base] + ASSETS[listing.quote]
    return _altname(listing)


def _listings(query: Query, *, one: bool = False) -> list[Listing]:
    """Return the pairs asked for, by either of their names; all of them where none is named."""
    if not query.get("pair"):
        if one:
            raise _refusal("EGeneral:Invalid arguments")
        return list(LISTINGS.values())
    named = {name: each for each in LISTINGS.values() for name in (_pair(each), _altname(each))}
    names = query["pair"].split(",")
    if any(name not in named for name in names) or (one and len(names) != 1):
        raise _refusal("EQuery:Unknown asset pair")
    return [named[name] for name in names]


def _find(account: Account, query: Query) -> Order:
    client_id = query.get("cl_ord_id", "")
    order = (
        account.by_client_id(client_id)
        if client_id
        else account.orders.get(_number_of(query.get("txid", "")))
    )
    if order is None:
        raise Refused(Reason.UNKNOWN_ORDER)
    return order


def _has_trades(query: Query) -> bool:
    return query.get("trades", "").lower() == "true"


def _is_asked_for(order: Order, query: Query) -> bool:
    return query.get("cl_ord_id", "") in ("", order.ticket.client_id) and "userref" not in query


def _ticket(query: Query) -> Ticket:
    [listing] = _listings(query, one=True)
    kind, side = query.get("ordertype", ""), query.get("type", "")
    if kind not in KINDS or side not in ("buy", "sell"):
        raise _refusal("EGeneral:Invalid arguments:ordertype")
    client_id = query.get("cl_ord_id", "")
    if client_id and not CLIENT_ID.fullmatch(client_id):
        raise _refusal("EGeneral:Invalid arguments:cl_ord_id")
    flags = query.get("oflags", "").split(",")
    lasting = query.get("timeinforce", "GTC").upper()
    if lasting not in ("GTC", "IOC", "FOK"):
        raise _refusal("EGeneral:Invalid arguments:timeinforce")
    is_conditional = kind.startswith(("stop-loss", "take-profit"))
    is_of_quote = "viqc" in flags and kind == "market"
    volume = _number(query, "volume")
    limit_name = "price2" if is_conditional else "price"
    return Ticket(
        symbol=listing.symbol,
        side=Side(side.upper()),
        amount=None if is_of_quote else volume,
        cost=volume if is_of_quote else None,
        limit=_number(query, limit_name) if kind.endswith("limit") else None,
        stop=_number(query, "price") if is_conditional else None,
        is_stop_above=kind.startswith("stop-loss") == (side == "buy"),
        force=Force.POST if "post" in flags else Force(lasting),
        client_id=client_id,
    )


def _number(query: Query, name: str) -> Decimal:
    try:
        number = Decimal(query.get(name, ""))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise _refusal(f"EGeneral:Invalid arguments:{name}")
    return number


def _kind(ticket: Ticket) -> str:
    if ticket.stop is None:
        return "market" if ticket.limit is None else "limit"
    is_loss = ticket.is_stop_above == (ticket.side == Side.BUY)
    return ("stop-loss" if is_loss else "take-profit") + ("" if ticket.limit is None else "-limit")


def _description(ticket: Ticket) -> dict[str, str]:
    listing = LISTINGS[ticket.symbol]
    kind, side = _kind(ticket), ticket.side.lower()
    amount = ticket.amount if ticket.cost is None else ticket.cost
    kind_in_words = kind.removesuffix("-limit").replace("-", " ")
    words = f"{side} {amount or Decimal(0):.8f} {_altname(listing)} @ {kind_in_words}"
    prices = [_price(price, listing) for price in (ticket.stop, ticket.limit) if price is not None]
    if prices:
        words += " " + " -> limit ".join(prices)
    price, price2 = (prices + ["0", "0"])[:2]
    return {
        "pair": _altname(listing),
        "type": side,
        "ordertype": kind,
        "price": price,
        "price2": price2,
        "leverage": "none",
        "order": words,
        "close": "",
    }


def _order_reply(order: Order, *, has_trades: bool = False) -> dict[str, Any]:
    ticket = order.ticket
    listing = LISTINGS[ticket.symbol]
    reply: dict[str, Any] = {
        "refid": None,
        "userref": 0,
        "cl_ord_id": ticket.client_id,
        "status": STATES[order.state],
        "opentm": order.created_at / 1000,
        "starttm": 0,
        "expiretm": 0,
        "descr": _description(ticket),
        "vol": f"{order.amount or Decimal(0):.8f}",
        "vol_exec": f"{order.filled:.8f}",
        "cost": f"{order.cost:.8f}",
        "fee": f"{order.fee:.8f}",
        "price": f"{order.average:.8f}",
        "stopprice": _price(ticket.stop or Decimal(0), listing),
        "limitprice": _price(ticket.limit or Decimal(0), listing),
        "misc": "",
        "oflags": "post,fciq" if ticket.force == Force.POST else "fciq",
    }
    if has_trades and order.executions:
        reply["trades"] = [_trade_id(each) for each in order.executions]
    if not order.is_open:
        reason = {
            State.FILLED: "",
            State.CANCELED: "User requested",
            State.EXPIRED: "Out of funds or liquidity",
        }
        reply |= {"closetm": order.updated_at / 1000, "reason": reason[order.state]}
    return reply


def _trade(order: Order, execution: Execution) -> dict[str, Any]:
    listing = LISTINGS[order.ticket.symbol]
    return {
        "ordertxid": _order_id(order),
        "postxid": _code("P", order.number),
        "pair": _pair(listing),
        "time": execution.at / 1000,
        "type": order.ticket.side.lower(),
        "ordertype": _kind(order.ticket),
        "price": _price(execution.price, listing),
        "cost": f"{execution.cost:.8f}",
        "fee": f"{execution.fee:.8f}",
        "vol": f"{execution.amount:.8f}",
        "margin": "0.00000",
        "misc": "",
        "trade_id": execution.number,
        "maker": execution.is_maker,
        "ledgers": [_code("L", execution.number)],
    }


def _candle(start: int, bar: list[int], listing: Listing) -> list[object]:
    average = Decimal(bar[Column.COST]) / bar[Column.VOLUME] * listing.tick
    prices = [_price(price * listing.tick, listing) for price in bar[Column.OPEN : Column.CLOSE + 1]]
    volume = f"{bar[Column.VOLUME] * listing.step:.8f}"
    return [start, *prices, _price(average, listing), volume, bar[Column.TRADES]]


def _page[Row](rows: list[Row], query: Query) -> list[Row]:
    start = int(query["ofs"]) if query.get("ofs", "").isdecimal() else 0
    return rows[start : start + ROWS_PER_PAGE]


def _price(price: Decimal, listing: Listing) -> str:
    return f"{price:.{_places(listing.tick)}f}"


def _places(unit: Decimal) -> int:
    exponent = unit.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _seconds(query: Query, name: str) -> int | None:
    """Return a time in ms, or None where there is none."""
    text = query.get(name, "")
    return int(float(text) * 1000) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text) else None


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise _refusal("EGeneral:Invalid arguments:deadline") from None


def _code(letter: str, number: int) -> str:
    """Write a number as the exchange's ids look, such as OUF4EM-FRGI2-MQMWZD."""
    text = np.base_repr(number, 36).rjust(16, "0")
    return f"{letter}{text[:5]}-{text[5:10]}-{text[10:]}"


def _order_id(order: Order) -> str:
    return _code("O", order.number)


def _trade_id(execution: Execution) -> str:
    return _code("T", execution.number)


def _number_of(name: str) -> int:
    """Return the number that an order id was made of; 0 for anything else."""
    text = name.removeprefix("O").replace("-", "")
    return int(text, 36) if re.fullmatch(r"[0-9A-Z]{16}", text) else 0
