"""At which prices the protective rules will sell, so that a candle can be searched for them.

Each price is the nearest multiple of the market's price tick at which `protective_exit` finds its rule
reached; that function alone decides. Most candles come near none of them and need no search.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from bot_sdk.configs import RiskConfig
from bot_sdk.ledger import ZERO, Holding
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import QUOTE_STEP, exact
from bot_sdk.risk_state import RiskState


class ExitPrices(NamedTuple):
    """Prices in quote per base: selling begins at or below `lower`, at or above `upper`. None is never."""

    lower: Decimal | None
    upper: Decimal | None


class Calm(NamedTuple):
    """Prices in quote per base, both excluded, between which no rule sells and nothing is remembered.

    That holds for looks before `until`, when the rules' day ends; None for as long as prices stay there.
    """

    lower: float
    upper: float
    until: datetime | None

    def holds(self, low: float, high: float, closed_at: Callable[[], datetime]) -> bool:
        """Return whether a candle from `low` to `high` stays within."""
        return self.lower < low and high < self.upper and (self.until is None or closed_at() < self.until)


def exit_prices(*, holding: Holding, rules: MarketRules, risk: RiskConfig, state: RiskState) -> ExitPrices:
    """Return where a position would be sold as long as no new highest price or equity is seen.

    Both are None when flat. A rule whose price would be zero or less is never reached.
    """
    entry = holding.average_entry_price
    if entry is None:
        return ExitPrices(None, None)
    lower = [
        _below(entry, risk.stop_loss_percent),
        _below(state.peak_price, risk.trailing_stop_percent),
        _drawdown_price(holding, risk, state),
    ]
    reachable = [_to_tick(price, rules, ROUND_FLOOR) for price in lower if price is not None]
    upper = None
    if risk.take_profit_percent is not None:
        with exact():
            upper = _to_tick(entry * (100 + risk.take_profit_percent) / 100, rules, ROUND_CEILING)
    return ExitPrices(max((price for price in reachable if price > 0), default=None), upper)


def calm_of(*, holding: Holding, rules: MarketRules, risk: RiskConfig, state: RiskState) -> Calm:
    """Return within what prices a position needs no look; none at all while trading is halted.

    A float that lies beyond another was made of a number that lies beyond that one's, or equals it, so a
    price that is compared as a float is compared exactly; and it is a tick away from every exit.
    """
    if state.is_halted:
        return Calm(math.inf, -math.inf, None)
    exits = exit_prices(holding=holding, rules=rules, risk=risk, state=state)
    with exact():
        # Without an exit at a tick there may be one below the first: prices were quoted in smaller ones once.
        lower = float((exits.lower or ZERO) + rules.price_tick)
        uppers = [] if exits.upper is None else [exits.upper - rules.price_tick]
        if risk.trailing_stop_percent is not None and state.peak_price is not None:
            uppers.append(state.peak_price)
        if risk.max_drawdown_percent is not None:
            uppers.append((state.peak_equity - QUOTE_STEP - holding.quote_balance) / holding.base_amount)
    until = None
    if risk.max_daily_loss_percent is not None and state.day is not None:
        until = datetime.combine(state.day + timedelta(days=1), time(), UTC)
    return Calm(lower, float(min(uppers, default=math.inf)), until)


def _below(price: Decimal | None, percent: Decimal | None) -> Decimal | None:
    if price is None or percent is None:
        return None
    with exact():
        return price * (100 - percent) / 100


def _drawdown_price(holding: Holding, risk: RiskConfig, state: RiskState) -> Decimal | None:
    lowest_equity = _below(state.peak_equity, risk.max_drawdown_percent)
    if lowest_equity is None:
        return None
    with exact():
        return (lowest_equity - holding.quote_balance) / holding.base_amount


def _to_tick(price: Decimal, rules: MarketRules, rounding: str) -> Decimal:
    with exact():
        return (price / rules.price_tick).to_integral_value(rounding=rounding) * rules.price_tick
