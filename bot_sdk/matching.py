"""How a simulated order is filled: in full and with the taker fee.

A market order is filled at once, at the other side's best price; a limit order at its own price, once the
market has come to it.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot_sdk.action import BUY, SELL
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import cost_of, fee_on


@dataclass(frozen=True, slots=True)
class Execution:
    """One simulated fill: `side` "BUY" or "SELL", `price` in quote per base, `amount` in base, `cost` and
    `fee` in quote.
    """

    side: str
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
    return _fill(side, amount, ask if side == BUY else bid, rules)


def fill_limit_order(side: str, amount: Decimal, limit_price: Decimal, rules: MarketRules) -> Execution:
    """Fill a limit order that the market has come to, at `limit_price` and with the taker fee.

    That is the worst it can get: a better price, or the maker's lower fee, is not counted on.
    Raises ValueError as `fill_market_order` does.
    """
    return _fill(side, amount, limit_price, rules)


def limit_is_reached(side: str, limit_price: Decimal, bid: Decimal, ask: Decimal) -> bool:
    """Return whether the market has come to a waiting order: `ask` down to a BUY's, `bid` up to a SELL's."""
    return ask <= limit_price if side == BUY else bid >= limit_price


def is_traded_through(side: str, limit_price: Decimal, low: Decimal, high: Decimal) -> bool:
    """Return whether a candle's prices went past a waiting order: below a BUY's limit, above a SELL's.

    To be touched is not enough, because others may have waited at that price before it.
    """
    return low < limit_price if side == BUY else high > limit_price


def _fill(side: str, amount: Decimal, price: Decimal, rules: MarketRules) -> Execution:
    if side not in (BUY, SELL):
        raise ValueError(f'An order\'s side must be "BUY" or "SELL", not {side!r}.')
    if amount <= 0 or price <= 0:
        raise ValueError(f"An order needs an amount and a price above zero, not {amount} at {price}.")
    cost = cost_of(amount, price)
    fee = fee_on(cost, rules.taker_fee_fraction)
    if side == SELL:  # rounded up, the fee on next to nothing would be more than it brings
        fee = min(fee, cost)
    return Execution(side=side, price=price, amount=amount, cost=cost, fee=fee)
