"""What an exchange accepts as an order on one market."""

from dataclasses import dataclass
from decimal import Decimal

from bot_sdk.money import cost_of, exact
from bot_sdk.skip_reasons import SkipReason


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The limits and the fee of one market.

    `price_tick` is in quote per base, `amount_step` and `minimum_amount` in base, `minimum_cost` in quote (0
    means no minimum), `taker_fee_fraction` is 0.001 for 0.1 % of the cost. Raises ValueError for impossible
    rules.
    """

    price_tick: Decimal
    amount_step: Decimal
    minimum_amount: Decimal
    minimum_cost: Decimal
    taker_fee_fraction: Decimal

    def __post_init__(self) -> None:
        if self.price_tick <= 0 or self.amount_step <= 0:
            raise ValueError(f"price_tick and amount_step must be above zero: {self}")
        if self.minimum_amount < 0 or self.minimum_cost < 0:
            raise ValueError(f"minimum_amount and minimum_cost must be zero or more: {self}")
        if not 0 <= self.taker_fee_fraction < 1:
            raise ValueError(f"taker_fee_fraction must be from 0 to below 1 (0.001 is 0.1 %): {self}")

    def round_down(self, amount: Decimal) -> Decimal:
        """Return the largest multiple of the amount step that is not above `amount` (zero or more)."""
        with exact():
            return amount // self.amount_step * self.amount_step

    def problem_with(self, amount: Decimal, price: Decimal) -> SkipReason | None:
        """Return why the exchange would refuse `amount` base units at `price`, or None when it would not."""
        if amount <= 0 or amount < self.minimum_amount:
            return SkipReason.BELOW_MINIMUM_AMOUNT
        if cost_of(amount, price) < self.minimum_cost:
            return SkipReason.BELOW_MINIMUM_COST
        return None

    def orderable(self, amount: Decimal, price: Decimal) -> Decimal:
        """Return what of `amount` the exchange takes as one order at `price`; zero when it is too little."""
        rounded = self.round_down(amount)
        return Decimal(0) if self.problem_with(rounded, price) else rounded
