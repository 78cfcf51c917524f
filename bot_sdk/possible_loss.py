"""What a subscription can lose by the limits that it trades with, for its trader to read beforehand.

Each figure supposes that a stop sells at its own price. Where the price jumps past it, or an order fills at a
worse one, more is lost; no limit can rule that out.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot_sdk.configs import RiskConfig
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import exact, fee_on
from bot_sdk.risk import MAX_DRAWDOWN, STOP_LOSS, TRAILING_STOP

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class PossibleLoss:
    """Losses of a subscription that has just begun, in quote and with the market's fees.

    `position` is what one position may cost at most. `on_position` is what it loses until `stop`, one of the
    sources of `bot_sdk.risk`, sells it; without any (None) that is all that it cost.
    `day_limit` is the day's loss after which nothing is bought, and `in_day` that with what is still held
    then, or until trading halts where that is less; both are None where no limit holds for less than the
    whole capital.
    `halt_equity` is the equity at which all is sold and trading halts; None when it never does.
    """

    position: Decimal
    on_position: Decimal
    stop: str | None
    day_limit: Decimal | None
    in_day: Decimal | None
    halt_equity: Decimal | None


def possible_loss(*, capital: Decimal, risk: RiskConfig, rules: MarketRules) -> PossibleLoss:
    """Return what `capital` (in quote, above zero) can lose under `risk`, the limits in force."""
    with exact():
        fee = rules.taker_fee_fraction
        most = capital / (1 + fee)  # that the balance pays for
        bought = min(most, capital * (risk.max_position_size or HUNDRED) / HUNDRED)
        cost = bought * (1 + fee)
        halt_loss = _part(capital, risk.max_drawdown_percent)
        stop, sold = _highest_sale(risk, bought=bought, cost=cost, halt_loss=halt_loss)
        on_position = cost - sold + fee_on(sold, fee)
        day_limit = _part(capital, risk.max_daily_loss_percent)
        bounds = [] if halt_loss is None else [halt_loss + fee_on(min(capital - halt_loss, bought), fee)]
        if day_limit is not None:
            bounds.append(day_limit + on_position)
        in_day = min(bounds, default=capital)
        return PossibleLoss(
            position=cost,
            on_position=on_position,
            stop=stop,
            day_limit=day_limit,
            in_day=in_day if in_day < capital else None,
            halt_equity=None if halt_loss is None else capital - halt_loss,
        )


def _highest_sale(
    risk: RiskConfig, *, bought: Decimal, cost: Decimal, halt_loss: Decimal | None
) -> tuple[str | None, Decimal]:
    """Return which rule sells first on the way down, and what the position then brings without the fee.

    A stop loss is measured from the entry with its fee, a trailing stop from the price paid, and a drawdown
    from the whole capital.
    """
    sales: list[tuple[str | None, Decimal]] = [(None, Decimal(0))]
    if risk.stop_loss_percent is not None:
        sales.append((STOP_LOSS, cost * (HUNDRED - risk.stop_loss_percent) / HUNDRED))
    if risk.trailing_stop_percent is not None:
        sales.append((TRAILING_STOP, bought * (HUNDRED - risk.trailing_stop_percent) / HUNDRED))
    if halt_loss is not None:
        sales.append((MAX_DRAWDOWN, cost - halt_loss))
    return max(sales, key=lambda sale: sale[1])


def _part(whole: Decimal, percent: Decimal | None) -> Decimal | None:
    return None if percent is None else whole * percent / HUNDRED
