"""An exchange account made of paper: orders fill at once, at the real market's prices and by its rules."""

from datetime import datetime
from decimal import Decimal

from bot_sdk.market_rules import MarketRules
from bot_sdk.matching import Execution, fill_limit_order, fill_market_order, limit_is_reached
from exchanges.errors import OrderRejected
from exchanges.gateway import Fill, OrderReport, OrderState, Ticker
from exchanges.order_checks import require_acceptable, require_on_tick


class PaperGateway:
    """Fill market orders of one trading pair against the given ticker.

    The same order gives the same report, trade id included, so that booking it twice can be noticed.
    """

    def __init__(self, trading_pair: str, rules: MarketRules, ticker: Ticker) -> None:
        self._trading_pair = trading_pair
        self._rules = rules
        self._ticker = ticker

    def create_market_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        client_order_id: str,
        *,
        send_by: datetime | None = None,  # noqa: ARG002 - nothing leaves
    ) -> OrderReport:
        """Fill the whole order: a BUY at the ask, a SELL at the bid, with the taker fee in quote.

        Raises OrderRejected, its text beginning with a code, when the market's rules refuse the order.
        Balances are the caller's to check.
        """
        require_acceptable(
            market=self._trading_pair,
            trading_pair=trading_pair,
            side=side,
            amount=amount,
            price=self._ticker.ask if side == "BUY" else self._ticker.bid,
            rules=self._rules,
        )
        execution = fill_market_order(side, amount, self._ticker.bid, self._ticker.ask, self._rules)
        return self._filled(execution, client_order_id)

    def create_limit_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        price: Decimal,
        client_order_id: str,
        *,
        stop_price: Decimal | None = None,
        send_by: datetime | None = None,  # noqa: ARG002 - nothing leaves
    ) -> OrderReport:
        """Fill the whole order at its limit when the market is there, and leave it open otherwise.

        Whoever keeps the books asks again with the next prices. Raises OrderRejected, as above, and for a
        stop: whoever asks again with the next prices watches stops as well.
        """
        if stop_price is not None:
            raise OrderRejected("no_stops: on paper stops are watched, and none rests.")
        require_acceptable(
            market=self._trading_pair,
            trading_pair=trading_pair,
            side=side,
            amount=amount,
            price=price,
            rules=self._rules,
        )
        require_on_tick(price, self._rules)
        if not limit_is_reached(side, price, self._ticker.bid, self._ticker.ask):
            return OrderReport(client_order_id, f"paper-{client_order_id}", OrderState.OPEN, ())
        return self._filled(fill_limit_order(side, amount, price, self._rules), client_order_id)

    def cancel_order(self, exchange_order_id: str) -> OrderReport:
        """Say that an order which stayed open has ended; on paper nothing comes between."""
        client_order_id = exchange_order_id.removeprefix("paper-")
        return OrderReport(client_order_id, exchange_order_id, OrderState.CANCELED, ())

    def _filled(self, execution: Execution, client_order_id: str) -> OrderReport:
        fill = Fill(
            trade_id=f"paper-{client_order_id}-1",
            price=execution.price,
            amount=execution.amount,
            cost=execution.cost,
            fee=execution.fee,
            fee_currency=self._trading_pair.partition("/")[2],
            filled_at=self._ticker.at,
        )
        return OrderReport(client_order_id, f"paper-{client_order_id}", OrderState.FILLED, (fill,))
