"""What would have become of a bot's past signals with another account: other money, sizes, fees and rules.

The signals stay as the bot gave them, at their prices; what the platform makes of each is decided anew by
`bot_sdk.risk`, from a position of nothing at the first of them. Risk limits are left out: they look at the
prices in between.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from bot_sdk.action import BUY, HOLD, Action
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.ledger import Holding, apply_fill
from bot_sdk.market_rules import MarketRules
from bot_sdk.matching import fill_market_order
from bot_sdk.money import QUOTE_STEP, exact
from bot_sdk.risk import decide
from bot_sdk.risk_state import RiskState
from bot_sdk.skip_reasons import SkipReason

SMALLEST_CAPITAL = Decimal("1e-8")  # in any quote currency; less is never asked about
CLOSE_ENOUGH = Decimal("1.001")  # of a searched capital to the one that it stands for
SHOWN_DIGITS = 3


@dataclass(frozen=True, slots=True)
class PastSignal:
    """What a bot wanted at the aware moment `at`: "BUY" or "SELL", when one base cost `price` in quote."""

    at: datetime
    action: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many signals would have become orders, how many not and why; `fees` are in quote."""

    buys: int
    sells: int
    skips: Mapping[SkipReason, int]
    fees: Decimal

    @property
    def orders(self) -> int:
        return self.buys + self.sells


def outcome_of(
    signals: Sequence[PastSignal], *, capital: Decimal, rules: MarketRules, execution: ExecutionConfig
) -> Outcome:
    """Return what would have become of the signals, oldest first, with `capital` in quote.

    Orders fill at once at the signal's price, with the market's fee.
    """
    holding, state = Holding.start(capital), RiskState.start(capital)
    sides: Counter[str] = Counter()
    skips: Counter[SkipReason] = Counter()
    for each in signals:
        signal = decide(
            action=Action(each.action, float(each.price), ""),
            holding=holding,
            bid=each.price,
            ask=each.price,
            rules=rules,
            execution=execution,
            risk=RiskConfig(),
            allocated_capital=capital,
            state=state,
            at=each.at,
        )
        if signal.action == HOLD:
            assert signal.skip is not None
            skips[signal.skip] += 1
            continue
        fill = fill_market_order(signal.action, signal.amount, each.price, each.price, rules)
        holding = apply_fill(holding, fill.side, fill.amount, fill.price, fill.fee)
        sides[signal.action] += 1
    return Outcome(sides[BUY], sides.total() - sides[BUY], skips, holding.fees_paid)


def needed_capital(
    signals: Sequence[PastSignal], *, rules: MarketRules, execution: ExecutionConfig, most: Decimal
) -> Decimal | None:
    """Return about the smallest capital, in quote, with which as many buys become orders as with `most`.

    It is rounded to three digits, with which they still do. None when no buy becomes an order with `most`.
    """

    def buys(capital: Decimal) -> int:
        return outcome_of(signals, capital=capital, rules=rules, execution=execution).buys

    possible = buys(most)
    if not possible:
        return None
    too_little, enough = SMALLEST_CAPITAL, most
    with exact():
        while enough > too_little * CLOSE_ENOUGH:
            middle = (too_little * enough).sqrt().quantize(QUOTE_STEP)
            if buys(middle) < possible:
                too_little = middle
            else:
                enough = middle
        step = Decimal(1).scaleb(enough.adjusted() + 1 - SHOWN_DIGITS)
        rounded = enough.quantize(step, rounding=ROUND_FLOOR)
        # steps of the amount leave more or less behind: a little more capital may again be too little
        while buys(rounded) < possible:
            rounded, step = rounded + step, step * 2
        return rounded
