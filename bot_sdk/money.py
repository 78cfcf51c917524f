"""Decimal arithmetic that rounds only where it says so.

Python's default context keeps 28 digits, fewer than a large balance with 18 decimal places has, and rounds
the rest away in silence. Everything that touches money computes inside `exact()`; the two roundings that an
order needs, its cost and its fee, are the functions below.
"""

from contextlib import AbstractContextManager
from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal, localcontext

QUOTE_STEP = Decimal("1e-18")  # the smallest quote amount that the ledger holds
FEE_STEP = Decimal("1e-8")  # exchanges charge fees in 8 places, in their own favor


_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)


def exact() -> AbstractContextManager[Context]:
    """Return a context with enough digits that sums and products of money are never rounded."""
    return localcontext(_EXACT)  # which enters a copy


def cost_of(amount: Decimal, price: Decimal) -> Decimal:
    """Return what `amount` base units cost at `price`, in quote, to 18 places, without fee."""
    with exact():
        return (amount * price).quantize(QUOTE_STEP)


def fee_on(cost: Decimal, fee_fraction: Decimal) -> Decimal:
    """Return the fee on `cost`, in quote, rounded up to 8 places. `fee_fraction` is 0.001 for 0.1 %."""
    with exact():
        return (cost * fee_fraction).quantize(FEE_STEP, rounding=ROUND_UP)


def reaches(part: Decimal, percent: Decimal | None, whole: Decimal) -> bool:
    """Return whether `part` is at least `percent` (5 for 5 %) of `whole`; never when `percent` is None.

    Products are compared, because a division would round and equality has to count.
    """
    if percent is None:
        return False
    with exact():
        return part * 100 >= percent * whole
