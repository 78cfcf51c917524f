"""A run's metrics as people read them, and why one says nothing."""

from decimal import Decimal

from bot_sdk.metric_table import Metric, Unit
from exchanges.templatetags.amounts import GROUP_SPACE, money, price

MISSING = "n/a"
_HUNDREDTH = Decimal("0.01")


def metric_text(metric: Metric, value: float | None, quote: str) -> str:
    """Return the value with its unit, `quote` being the market's currency; "n/a" for None."""
    if value is None:
        return MISSING
    match metric.unit:
        case Unit.PERCENT:
            return f"{price(value, _HUNDREDTH)}{GROUP_SPACE}%"
        case Unit.MONEY:
            return money(value, quote)
        case Unit.DAYS:
            return span_text(value)
        case Unit.COUNT:
            return f"{value:.0f}"
        case _:
            return price(value, _HUNDREDTH)


def span_text(days: float) -> str:
    """Return a length of time in minutes, hours or days, whichever suits it: 0.5 is "12 h"."""
    minutes = days * 24 * 60
    if minutes < 60:
        return f"{minutes:.0f}\N{NO-BREAK SPACE}min"
    if days < 3:
        return f"{minutes / 60:.3g}\N{NO-BREAK SPACE}h"
    return f"{days:.0f}\N{NO-BREAK SPACE}days" if days >= 100 else f"{days:.3g}\N{NO-BREAK SPACE}days"


def why_missing(metric: Metric, *, days: int, trades: int) -> str:
    """Return why the metric has no value on so many days and trades."""
    if days < metric.minimum_days:
        return f"It takes {metric.minimum_days} days, and these are {days}."
    if trades < metric.minimum_trades:
        return f"It takes {metric.minimum_trades} closed trades, and these are {trades}."
    return "There is nothing to measure it by."
