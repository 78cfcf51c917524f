"""All that a subscription has done, as files for spreadsheets: the same from its pages and from the API."""

from collections.abc import Callable, Iterator

from django.http import StreamingHttpResponse

from execution.models import Cycle, Order
from execution.round_trips import trades_of
from execution.spreadsheets import lines
from subscriptions.models import Subscription

ROWS_AT_ONCE = 2000  # that are read while a file is sent

CYCLE_COLUMNS = {
    "candle_opened_at": "candle_opened_at",
    "candle_closed_at": "candle_closed_at",
    "state": "state",
    "verdict": "verdict",
    "action": "action",
    "value": "value",
    "reason": "reason",
    "signal_action": "signal_action",
    "signal_source": "signal_source",
    "signal_reason": "signal_reason",
    "skip": "skip",
    "message": "message",
    "price": "price",
    "equity": "equity",
    "capital": "capital",
    "growth": "growth",
    "order_state": "order__state",
    "client_order_id": "order__client_order_id",
    "receipt_sha256": "inputs",
    "bot_seconds": "bot_seconds",
}
ORDER_COLUMNS = {  # a row per fill; an order without one has a row of its own
    "created_at": "created_at",
    "sent_at": "sent_at",
    "side": "side",
    "kind": "kind",
    "amount": "amount",
    "limit_price": "limit_price",
    "stop_price": "stop_price",
    "state": "state",
    "source": "source",
    "reason": "reason",
    "message": "message",
    "client_order_id": "client_order_id",
    "exchange_order_id": "exchange_order_id",
    "trade_id": "fills__trade_id",
    "filled_at": "fills__filled_at",
    "fill_price": "fills__price",
    "fill_amount": "fills__amount",
    "fill_cost": "fills__cost",
    "fee": "fills__fee",
    "fee_currency": "fills__fee_currency",
}
CAPITAL_COLUMNS = ("changed_at", "amount", "capital")
TRADE_COLUMNS = (
    "opened_at",
    "closed_at",
    "entry_price",
    "exit_price",
    "amount",
    "fees",
    "pnl",
    "return_fraction",
    "entry_reason",
    "exit_reason",
    "exit_source",
)


def as_file(subscription: Subscription, what: str) -> StreamingHttpResponse:
    """Return one of FILES as an attachment, sent while it is read. Select `bot` beforehand.

    Raises LedgerError where the trades cannot be told from what was filled.
    """
    name = f"{what}-{subscription.bot.slug}-{subscription.pk}.csv"
    return StreamingHttpResponse(
        FILES[what](subscription),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _cycles(subscription: Subscription) -> Iterator[str]:
    rows = Cycle.objects.of(subscription).order_by("candle_opened_at").values_list(*CYCLE_COLUMNS.values())
    return lines(list(CYCLE_COLUMNS), rows.iterator(ROWS_AT_ONCE))


def _orders(subscription: Subscription) -> Iterator[str]:
    orders = Order.objects.filter(subscription=subscription).order_by("created_at", "pk", "fills__filled_at")
    rows = orders.values_list(*ORDER_COLUMNS.values())
    return lines(list(ORDER_COLUMNS), rows.iterator(ROWS_AT_ONCE))


def _trades(subscription: Subscription) -> Iterator[str]:
    closed = trades_of(subscription)
    return lines(TRADE_COLUMNS, ([getattr(trade, name) for name in TRADE_COLUMNS] for trade in closed))


def _capital(subscription: Subscription) -> Iterator[str]:
    rows = subscription.capital_changes.order_by("revision").values_list(*CAPITAL_COLUMNS)
    return lines(CAPITAL_COLUMNS, rows.iterator(ROWS_AT_ONCE))


FILES: dict[str, Callable[[Subscription], Iterator[str]]] = {
    "cycles": _cycles,
    "orders": _orders,
    "trades": _trades,
    "capital": _capital,
}
