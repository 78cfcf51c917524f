"""What a subscription owns, and how a fill, and what its owner puts in or takes out, change it.

After any number of them, in any order, to the last digit:

    quote_balance + cost_basis == capital + realized_pnl
    equity(price) == capital + realized_pnl + unrealized_pnl(price)

where `capital` is what it began with, and all that was put in since, less what was taken out. Those change
nothing but it and the free balance; so the sum of everything may begin with the capital of now.

The only rounding is in the share of the cost basis that a partial sale takes; whatever it drops stays in the
basis, so nothing is lost, and the sale that closes the position takes all that is left.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bot_sdk.action import BUY, SELL
from bot_sdk.money import QUOTE_STEP, cost_of, exact

ZERO = Decimal(0)


class FeeIn(StrEnum):
    """What a fill's fee was taken in: of the market's two currencies, or another coin of the account's."""

    QUOTE = "quote"
    BASE = "base"
    OTHER = "other"


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
    def capital(self) -> Decimal:
        """What was put in less what was taken out, in quote, the start included."""
        with exact():
            return self.quote_balance + self.cost_basis - self.realized_pnl

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


def apply_fill(
    holding: Holding,
    side: str,
    amount: Decimal,
    price: Decimal,
    fee: Decimal,
    *,
    fee_in: FeeIn = FeeIn.QUOTE,
    may_overdraw: bool = False,
) -> Holding:
    """Return the holding after a fill of `amount` base units at `price`, with `fee` in what `fee_in` says.

    A fee in base is taken from what was bought, or sold on top, and counts at `price`. One in a third coin
    was not paid from this capital and leaves the holding alone. `may_overdraw` is for what did happen at an
    exchange, whatever was meant.

    Raises LedgerError when it would sell more than the position or spend more than the balance, for a side
    other than "BUY" and "SELL", and for an amount or price not above zero or a fee below it.
    """
    _check(side, amount, price, fee)
    with exact():
        cost = cost_of(amount, price)
        quote_fee = fee if fee_in == FeeIn.QUOTE else ZERO
        base_fee = fee if fee_in == FeeIn.BASE else ZERO
        fee_worth = quote_fee + cost_of(base_fee, price)
        change = _bought if side == BUY else _sold
        after = change(holding, amount, cost, quote_fee, base_fee)
        after = replace(after, fees_paid=holding.fees_paid + fee_worth)
    if after.quote_balance < 0 and not may_overdraw:
        raise LedgerError(
            f"A {side} of {amount} at {price} with fee {fee} needs more than the free balance of "
            f"{holding.quote_balance} in quote."
        )
    return after


def put_in(holding: Holding, amount: Decimal) -> Holding:
    """Return the holding after `amount` in quote was put in, or taken out where it is below zero.

    Raises LedgerError when more would be taken out than is free, and for an amount that is nothing, or has
    more than 18 decimal places.
    """
    if not amount.is_finite() or amount == 0 or not _fits(amount):
        raise LedgerError(f"What is put in or taken out has at most 18 decimal places, not {amount}.")
    with exact():
        balance = holding.quote_balance + amount
    if amount < 0 and balance < 0:
        raise LedgerError(f"{-amount} cannot be taken out of the free balance of {holding.quote_balance}.")
    return replace(holding, quote_balance=balance)


def _bought(
    holding: Holding, amount: Decimal, cost: Decimal, quote_fee: Decimal, base_fee: Decimal
) -> Holding:
    if base_fee >= amount:
        raise LedgerError(f"A BUY of {amount} cannot have cost a fee of {base_fee} in base.")
    return replace(
        holding,
        quote_balance=holding.quote_balance - cost - quote_fee,
        base_amount=holding.base_amount + amount - base_fee,
        cost_basis=holding.cost_basis + cost + quote_fee,
    )


def _sold(
    holding: Holding, amount: Decimal, proceeds: Decimal, quote_fee: Decimal, base_fee: Decimal
) -> Holding:
    gone = amount + base_fee
    if gone > holding.base_amount:
        raise LedgerError(f"A SELL of {gone} is more than the position of {holding.base_amount}.")
    share = (holding.cost_basis * gone / holding.base_amount).quantize(QUOTE_STEP)
    return replace(
        holding,
        quote_balance=holding.quote_balance + proceeds - quote_fee,
        base_amount=holding.base_amount - gone,
        cost_basis=holding.cost_basis - share,
        realized_pnl=holding.realized_pnl + proceeds - quote_fee - share,
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
