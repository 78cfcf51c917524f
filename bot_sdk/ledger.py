"""What a subscription owns, and how a fill changes it.

After any number of fills, to the last digit:

    quote_balance + cost_basis == capital + realized_pnl
    equity(price) == capital + realized_pnl + unrealized_pnl(price)

The only rounding is in the share of the cost basis that a partial sale takes; whatever it drops stays in the
basis, so nothing is lost, and the sale that closes the position takes all that is left.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot_sdk.action import BUY, SELL
from bot_sdk.money import QUOTE_STEP, cost_of, exact

ZERO = Decimal(0)


class LedgerError(ValueError):
    """A fill that the holding cannot have had: it sells or spends more than there is, or makes no sense."""


@dataclass(frozen=True, slots=True)
class Holding:
    """The money and the position of one subscription.

    `base_amount` is in base, everything else in quote. `cost_basis` is what the open position cost, its
    buying fees included; `realized_pnl` is the profit of what was sold, after fees; `fees_paid` is their sum.
    """

    quote_balance: Decimal
    base_amount: Decimal
    cost_basis: Decimal
    realized_pnl: Decimal
    fees_paid: Decimal

    @classmethod
    def start(cls, capital: Decimal) -> "Holding":
        """Return the holding before the first fill. `capital` is in quote, above zero, to 18 places."""
        if not capital.is_finite() or capital <= 0 or not _fits(capital):
            raise LedgerError(f"Capital must be above zero with at most 18 decimal places, not {capital}.")
        return cls(
            quote_balance=capital, base_amount=ZERO, cost_basis=ZERO, realized_pnl=ZERO, fees_paid=ZERO
        )

    @property
    def average_entry_price(self) -> Decimal | None:
        """What one base unit of the position cost, buying fees included, to 18 places; None when flat."""
        if self.base_amount == 0:
            return None
        with exact():
            return (self.cost_basis / self.base_amount).quantize(QUOTE_STEP)

    def equity(self, price: Decimal) -> Decimal:
        """Return what everything is worth, in quote, at `price` and without the fee of selling."""
        with exact():
            return self.quote_balance + cost_of(self.base_amount, price)

    def unrealized_pnl(self, price: Decimal) -> Decimal:
        """Return the open position's profit at `price`, in quote; zero when flat."""
        with exact():
            return cost_of(self.base_amount, price) - self.cost_basis


def apply_fill(holding: Holding, side: str, amount: Decimal, price: Decimal, fee: Decimal) -> Holding:
    """Return the holding after a fill of `amount` base units at `price`, with `fee` in quote.

    Raises LedgerError when it would sell more than the position or spend more than the balance, for a side
    other than "BUY" and "SELL", and for an amount or price not above zero or a fee below it.
    """
    _check(side, amount, price, fee)
    with exact():
        cost = cost_of(amount, price)
        after = _bought(holding, amount, cost, fee) if side == BUY else _sold(holding, amount, cost, fee)
    if after.quote_balance < 0:
        raise LedgerError(
            f"A {side} of {amount} at {price} with fee {fee} needs more than the free balance of "
            f"{holding.quote_balance} in quote."
        )
    return after


def _bought(holding: Holding, amount: Decimal, cost: Decimal, fee: Decimal) -> Holding:
    return Holding(
        quote_balance=holding.quote_balance - cost - fee,
        base_amount=holding.base_amount + amount,
        cost_basis=holding.cost_basis + cost + fee,
        realized_pnl=holding.realized_pnl,
        fees_paid=holding.fees_paid + fee,
    )


def _sold(holding: Holding, amount: Decimal, proceeds: Decimal, fee: Decimal) -> Holding:
    if amount > holding.base_amount:
        raise LedgerError(f"A SELL of {amount} is more than the position of {holding.base_amount}.")
    share = (holding.cost_basis * amount / holding.base_amount).quantize(QUOTE_STEP)
    return Holding(
        quote_balance=holding.quote_balance + proceeds - fee,
        base_amount=holding.base_amount - amount,
        cost_basis=holding.cost_basis - share,
        realized_pnl=holding.realized_pnl + proceeds - fee - share,
        fees_paid=holding.fees_paid + fee,
    )


def _check(side: str, amount: Decimal, price: Decimal, fee: Decimal) -> None:
    if side not in (BUY, SELL):
        raise LedgerError(f'A fill\'s side must be "BUY" or "SELL", not {side!r}.')
    if not (amount.is_finite() and price.is_finite() and fee.is_finite()):
        raise LedgerError(f"A fill needs finite numbers, not amount {amount}, price {price}, fee {fee}.")
    if amount <= 0 or price <= 0 or fee < 0:
        raise LedgerError(
            f"A fill needs an amount and a price above zero and a fee that is not below it, "
            f"not amount {amount}, price {price}, fee {fee}."
        )
    if not _fits(fee):
        raise LedgerError(f"A fee has at most 18 decimal places, not {fee}.")


def _fits(quote_amount: Decimal) -> bool:
    with exact():
        return quote_amount == quote_amount.quantize(QUOTE_STEP)
