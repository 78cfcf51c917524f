"""How a simulated market order is filled: at once, in full, at the other side's best price."""

from dataclasses import dataclass
from decimal import Decimal

from bot_sdk.action import BUY, SELL
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import cost_of, fee_on


@dataclass(frozen=True, slots=True)
class Execution:
    """One simulated fill: `price` in quote per base, `amount` in base, `cost` and `fee` in quote."""

    price: Decimal
    amount: Decimal
    cost: Decimal
    fee: Decimal


def fill_market_order(
    side: str, amount: Decimal, bid: Decimal, ask: Decimal, rules: MarketRules
) -> Execution:
    """Fill a market order: "BUY" at `ask`, "SELL" at `bid`, with the taker fee rounded up to 8 places.

    The market's minimums are the caller's to check (`MarketRules.problem_with`).
    Raises ValueError for an unknown side and for an amount or price that is not above zero.
    """
    if side not in (BUY, SELL):
        raise ValueError(f'An order\'s side must be "BUY" or "SELL", not {side!r}.')
    price = ask if side == BUY else bid
    if amount <= 0 or price <= 0:
        raise ValueError(f"An order needs an amount and a price above zero, not {amount} at {price}.")
    cost = cost_of(amount, price)
    return Execution(price=price, amount=amount, cost=cost, fee=fee_on(cost, rules.taker_fee_fraction))


def limit_is_reached(side: str, limit_price: Decimal, bid: Decimal, ask: Decimal) -> bool:
    """Return whether the other side's best price has come to the limit."""
    return ask <= limit_price if side == BUY else bid >= limit_price


def fill_limit_order(side: str, amount: Decimal, limit_price: Decimal, rules: MarketRules) -> Execution:
    """Fill a limit order whole, at its limit and never better, with the taker fee."""
    return fill_market_order(side, amount, limit_price, limit_price, rules)
