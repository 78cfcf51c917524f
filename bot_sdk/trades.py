"""Closed round trips, from the fills that made them.

A trade lasts from flat to flat: further buys add to it, partial sales are averaged, and a position that is
still open is none. The ledger does the arithmetic, so the trades' profits add up to its realized profit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bot_sdk.action import BUY
from bot_sdk.ledger import ZERO, FeeIn, Holding, apply_fill
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import QUOTE_STEP, cost_of, exact


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill at the aware `at`: `amount` in base, `price` in quote per base, `fee` in what `fee_in` says.

    `source` is who wanted it: "bot", or a protective rule as in `bot_sdk.risk.Signal`. `decided_price` is the
    price that was seen when it was decided, in quote per base, None when not known.
    """

    side: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    at: datetime
    fee_in: FeeIn = FeeIn.QUOTE
    reason: str = ""
    source: str = ""
    decided_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """One closed round trip.

    `amount` is all that was bought, in base; the prices are averages in quote per base, without fees; `fees`
    and `pnl` are in quote, the profit after fees. `return_fraction` is `pnl` by what was bought, without
    fees: 0.05 for 5 %. `mae_fraction` (zero or below) and `mfe_fraction` (zero or above) say how far the
    price went against and for the trade, by its entry price; None when not known.
    """

    opened_at: datetime
    closed_at: datetime
    entry_price: Decimal
    exit_price: Decimal
    amount: Decimal
    fees: Decimal
    pnl: Decimal
    return_fraction: float
    entry_reason: str = ""
    exit_reason: str = ""
    exit_source: str = ""
    mae_fraction: float | None = None
    mfe_fraction: float | None = None

    @property
    def held_for(self) -> timedelta:
        """From the first fill to the last."""
        return self.closed_at - self.opened_at


def trades_of(fills: Iterable[Fill], *, rules: MarketRules | None = None) -> Iterator[Trade]:
    """Yield the closed trades of one market's fills, oldest first.

    With `rules`, a rest that the market would not take as an order counts as flat; its cost stays with the
    position and comes into the next trade. Raises LedgerError for a fill that sells more than is held.
    """
    # The capital is not the question here, so the account begins empty and may owe.
    holding = flat = Holding(
        quote_balance=ZERO, base_amount=ZERO, cost_basis=ZERO, realized_pnl=ZERO, fees_paid=ZERO
    )
    legs: list[Fill] = []
    for fill in fills:
        holding = apply_fill(
            holding, fill.side, fill.amount, fill.price, fill.fee, fee_in=fill.fee_in, may_overdraw=True
        )
        legs.append(fill)
        if fill.side != BUY and _is_flat(holding.base_amount, fill.price, rules):
            if any(leg.side == BUY for leg in legs):
                yield _trade(legs, flat, holding)
                flat = holding
            legs = []


def _is_flat(amount: Decimal, price: Decimal, rules: MarketRules | None) -> bool:
    return amount == 0 or (rules is not None and rules.orderable(amount, price) == 0)


def _trade(legs: Sequence[Fill], before: Holding, after: Holding) -> Trade:
    entries = [leg for leg in legs if leg.side == BUY]
    exits = [leg for leg in legs if leg.side != BUY]
    with exact():
        bought, cost = _totals(entries)
        sold, proceeds = _totals(exits)
        pnl = after.realized_pnl - before.realized_pnl
        return Trade(
            opened_at=entries[0].at,
            closed_at=legs[-1].at,
            entry_price=_average(cost, bought),
            exit_price=_average(proceeds, sold),
            amount=bought,
            fees=after.fees_paid - before.fees_paid,
            pnl=pnl,
            return_fraction=float(pnl / cost),
            entry_reason=entries[0].reason,
            exit_reason=exits[-1].reason,
            exit_source=exits[-1].source,
        )


def _totals(legs: Iterable[Fill]) -> tuple[Decimal, Decimal]:
    """Return the amount in base and what it cost or brought in quote, without fees."""
    amount = cost = ZERO
    for leg in legs:
        amount += leg.amount
        cost += cost_of(leg.amount, leg.price)
    return amount, cost


def _average(cost: Decimal, amount: Decimal) -> Decimal:
    return (cost / amount).quantize(QUOTE_STEP)
