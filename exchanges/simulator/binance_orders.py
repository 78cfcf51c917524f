"""One account's balances, orders and fills in the words of Binance's spot REST protocol."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from exchanges.simulator.binance_data import (
    Query,
    eight_places,
    integer,
    limit_of,
    mandatory,
    refusal,
    symbol_of,
)
from exchanges.simulator.http import Refusal
from exchanges.simulator.listings import LISTINGS
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

ORDERS_DEFAULT, ORDERS_MOST = 500, 1000
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
FORCES = {"GTC": Force.GTC, "IOC": Force.IOC, "FOK": Force.FOK}
STOP_KINDS = ("STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
KINDS = ("LIMIT", "MARKET", "LIMIT_MAKER", *STOP_KINDS)

REFUSALS = {
    Reason.UNKNOWN_MARKET: (-1121, "Invalid symbol."),
    Reason.UNKNOWN_ORDER: (-2013, "Order does not exist."),
    Reason.NOT_OPEN: (-2011, "Unknown order sent."),
    Reason.OFF_TICK: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.OFF_STEP: (-1013, "Filter failure: LOT_SIZE"),
    Reason.TOO_SMALL: (-1013, "Filter failure: LOT_SIZE"),
    Reason.BELOW_MINIMUM_COST: (-1013, "Filter failure: NOTIONAL"),
    Reason.NO_FUNDS: (-2010, "Account has insufficient balance for requested action."),
    Reason.DUPLICATE: (-2010, "Duplicate order sent."),
    Reason.WOULD_TAKE: (-2010, "Order would immediately match and take."),
    Reason.WOULD_TRIGGER: (-2010, "Stop price would trigger immediately."),
}


class AccountData:
    """Answers what needs a signature; who asks is known by then."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.reading: dict[str, Callable[[Account, Query], object]] = {
            "GET /api/v3/account": self._account,
            "GET /api/v3/order": self._order,
            "GET /api/v3/openOrders": self._open_orders,
            "GET /api/v3/allOrders": self._all_orders,
            "GET /api/v3/myTrades": self._trades,
            "GET /sapi/v1/account/apiRestrictions": self._restrictions,
        }
        self.trading: dict[str, Callable[[Account, Query], object]] = {
            "POST /api/v3/order": self._place,
            "DELETE /api/v3/order": self._cancel,
        }

    def _account(self, account: Account, _query: Query) -> object:
        terms = self._venue.terms
        locked = self._venue.locked(account)
        return {
            "makerCommission": int(terms.maker_fee * 10_000),
            "takerCommission": int(terms.taker_fee * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": eight_places(terms.maker_fee),
                "taker": eight_places(terms.taker_fee),
                "buyer": eight_places(Decimal(0)),
                "seller": eight_places(Decimal(0)),
            },
            "canTrade": "trade" in account.rights,
            "canWithdraw": "withdraw" in account.rights,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": max((order.updated_at for order in account.orders.values()), default=0),
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": asset,
                    "free": eight_places(total - locked.get(asset, Decimal(0))),
                    "locked": eight_places(locked.get(asset, Decimal(0))),
                }
                for asset, total in account.totals.items()
            ],
            "permissions": ["SPOT"],
            "uid": 354937868,
        }

    def _restrictions(self, account: Account, _query: Query) -> object:
        return {
            "ipRestrict": account.is_restricted,
            "createTime": 1_600_000_000_000,
            "enableReading": "read" in account.rights,
            "enableSpotAndMarginTrading": "trade" in account.rights,
            "enableWithdrawals": "withdraw" in account.rights,
            "enableInternalTransfer": "transfer" in account.rights,
            "permitsUniversalTransfer": "transfer" in account.rights,
            "enableVanillaOptions": False,
            "enableMargin": False,
            "enableFutures": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enablePortfolioMarginTrading": False,
        }

    def _place(self, account: Account, query: Query) -> object:
        ticket = _ticket(query)
        try:
            order = self._venue.place(account, ticket)
        except Refused as refused:
            raise refusal_for(refused) from refused
        body = _order_reply(order)
        created = {
            key: body[key] for key in body if key not in ("stopPrice", "icebergQty", "time", "updateTime")
        }
        fills = [_fill(each) for each in order.executions]
        return {**created, "transactTime": order.created_at, "fills": fills}

    def _order(self, account: Account, query: Query) -> object:
        return _order_reply(self._find(account, query))

    def _cancel(self, account: Account, query: Query) -> object:
        try:
            order = self._find(account, query)
            self._venue.cancel(order)
        except (Refused, Refusal) as refused:
            raise refusal(*REFUSALS[Reason.NOT_OPEN]) from refused
        body = _order_reply(order)
        canceled = {
            key: body[key] for key in body if key not in ("stopPrice", "icebergQty", "time", "updateTime")
        }
        return {
            **canceled,
            "origClientOrderId": order.ticket.client_id,
            "clientOrderId": f"cancel-{order.number}",
            "transactTime": order.updated_at,
        }

    def _open_orders(self, account: Account, query: Query) -> object:
        symbol = symbol_of(query) if "symbol" in query else None
        orders = [order for order in account.open_orders() if symbol in (None, order.ticket.symbol)]
        return [_order_reply(order) for order in orders]

    def _all_orders(self, account: Account, query: Query) -> object:
        symbol = symbol_of(query)
        first, since, until = (integer(query, name) for name in ("orderId", "startTime", "endTime"))
        orders = [
            order
            for order in account.orders.values()
            if order.ticket.symbol == symbol
            and order.number >= (first or 0)
            and (since or 0) <= order.created_at <= (until or order.created_at)
        ]
        limit = limit_of(query, ORDERS_DEFAULT, ORDERS_MOST)
        chosen = orders[-limit:] if first is None and since is None else orders[:limit]
        return [_order_reply(order) for order in chosen]

    def _trades(self, account: Account, query: Query) -> object:
        symbol = symbol_of(query)
        number, since, until = (integer(query, name) for name in ("orderId", "startTime", "endTime"))
        first = integer(query, "fromId")
        rows = [
            (order, each)
            for order in account.orders.values()
            if order.ticket.symbol == symbol and number in (None, order.number)
            for each in order.executions
            if each.number >= (first or 0) and (since or 0) <= each.at <= (until or each.at)
        ]
        rows.sort(key=lambda row: row[1].number)
        limit = limit_of(query, ORDERS_DEFAULT, ORDERS_MOST)
        chosen = rows[-limit:] if first is None and since is None else rows[:limit]
        return [_trade(order, each) for order, each in chosen]

    def _find(self, account: Account, query: Query) -> Order:
        symbol = symbol_of(query)
        number = integer(query, "orderId")
        client_id = query.get("origClientOrderId", "")
        if number is None and not client_id:
            raise refusal(
                -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            )
        order = account.by_client_id(client_id) if number is None else account.orders.get(number)
        if order is None or order.ticket.symbol != symbol:
            raise refusal(*REFUSALS[Reason.UNKNOWN_ORDER])
        return order


def refusal_for(refused: Refused) -> Refusal:
    """Return the venue's refusal in Binance's words."""
    return refusal(*REFUSALS[refused.reason])


def _ticket(query: Query) -> Ticket:
    symbol = symbol_of(query)
    kind, side = mandatory(query, "type"), mandatory(query, "side")
    if side not in ("BUY", "SELL"):
        raise refusal(-1117, "Invalid side.")
    if kind not in KINDS:
        raise refusal(-1116, "Invalid orderType.")
    client_id = query.get("newClientOrderId", "")
    if client_id and not CLIENT_ID.fullmatch(client_id):
        raise refusal(
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is"
            " '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
        )
    cost = None
    if kind == "MARKET" and "quoteOrderQty" in query:
        cost = _number(query, "quoteOrderQty")
    if kind in ("LIMIT", *STOP_KINDS) and mandatory(query, "timeInForce") not in FORCES:
        raise refusal(-1115, "Invalid timeInForce.")
    force = Force.POST if kind == "LIMIT_MAKER" else FORCES.get(query.get("timeInForce", "GTC"), Force.GTC)
    return Ticket(
        symbol=symbol,
        side=Side(side),
        amount=None if cost is not None else _number(query, "quantity"),
        cost=cost,
        limit=None if kind == "MARKET" else _number(query, "price"),
        stop=_number(query, "stopPrice") if kind in STOP_KINDS else None,
        # a stop that limits a loss lies behind the price: above it for what was sold short, a BUY
        is_stop_above=(kind == "STOP_LOSS_LIMIT") == (side == "BUY"),
        force=force,
        client_id=client_id,
    )


def _number(query: Query, name: str) -> Decimal:
    text = mandatory(query, name)
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise refusal(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is a positive number."
        )
    return number


def _order_reply(order: Order) -> dict[str, Any]:
    ticket = order.ticket
    symbol = LISTINGS[ticket.symbol].symbol
    return {
        "symbol": symbol,
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": ticket.client_id or f"simulated-{order.number}",
        "price": eight_places(ticket.limit or Decimal(0)),
        "origQty": eight_places(order.amount or Decimal(0)),
        "executedQty": eight_places(order.filled),
        "origQuoteOrderQty": eight_places(ticket.cost or Decimal(0)),
        "cummulativeQuoteQty": eight_places(order.cost),
        "status": _status(order),
        "timeInForce": "GTC" if ticket.force == Force.POST else ticket.force.value,
        "type": _kind(ticket),
        "side": ticket.side.value,
        "stopPrice": eight_places(ticket.stop or Decimal(0)),
        "icebergQty": eight_places(Decimal(0)),
        "time": order.created_at,
        "updateTime": order.updated_at,
        "isWorking": order.state != State.WAITING,
        "workingTime": order.triggered_at or order.created_at,
        "selfTradePreventionMode": "NONE",
    }


def _status(order: Order) -> str:
    if order.is_open:
        return "PARTIALLY_FILLED" if order.executions else "NEW"
    return order.state.value


def _kind(ticket: Ticket) -> str:
    if ticket.stop is not None:
        is_loss = ticket.is_stop_above == (ticket.side == Side.BUY)
        return "STOP_LOSS_LIMIT" if is_loss else "TAKE_PROFIT_LIMIT"
    if ticket.limit is None:
        return "MARKET"
    return "LIMIT_MAKER" if ticket.force == Force.POST else "LIMIT"


def _fill(execution: Execution) -> dict[str, Any]:
    return {
        "price": eight_places(execution.price),
        "qty": eight_places(execution.amount),
        "commission": eight_places(execution.fee),
        "commissionAsset": execution.fee_asset,
        "tradeId": execution.number,
    }


def _trade(order: Order, execution: Execution) -> dict[str, Any]:
    return {
        "symbol": order.ticket.symbol,
        "id": execution.number,
        "orderId": order.number,
        "orderListId": -1,
        "price": eight_places(execution.price),
        "qty": eight_places(execution.amount),
        "quoteQty": eight_places(execution.cost),
        "commission": eight_places(execution.fee),
        "commissionAsset": execution.fee_asset,
        "time": execution.at,
        "isBuyer": order.ticket.side == Side.BUY,
        "isMaker": execution.is_maker,
        "isBestMatch": True,
    }
