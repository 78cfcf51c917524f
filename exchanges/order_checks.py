"""What every place that takes orders refuses before an order goes anywhere."""

from decimal import Decimal

from bot_sdk.market_rules import MarketRules
from exchanges.errors import OrderRejected


def require_acceptable(
    *, market: str, trading_pair: str, side: str, amount: Decimal, price: Decimal, rules: MarketRules
) -> None:
    """Raise OrderRejected, its text beginning with a code, when the rules of `market` refuse the order.

    `market` is the pair that the gateway trades; `amount` is in base. `price`, in quote per base, is the
    limit, or for a market order the best price of the other side. ccxt checks no minimum, and cuts digits.
    """
    if trading_pair != market:
        raise OrderRejected(f"unknown_pair: this account trades {market}, the order is for {trading_pair}.")
    if side not in ("BUY", "SELL"):
        raise OrderRejected(f"unknown_side: expected BUY or SELL, got {side!r}.")
    if amount != rules.round_down(amount):
        raise OrderRejected(f"off_step: {amount} is not a multiple of {rules.amount_step}; round it down.")
    problem = rules.problem_with(amount, price)
    if problem is not None:
        raise OrderRejected(
            f"{problem}: {amount} {trading_pair} at {price}; the market takes at least"
            f" {rules.minimum_amount} base and {rules.minimum_cost} quote."
        )


def require_on_tick(price: Decimal, rules: MarketRules) -> None:
    """Raise OrderRejected for a price that is not above zero or no multiple of the tick."""
    if price <= 0 or price % rules.price_tick:
        raise OrderRejected(f"off_tick: {price} is not a multiple of {rules.price_tick} above zero.")
