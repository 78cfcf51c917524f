"""Measure a run: every metric of `bot_sdk.metric_table` from its equity and its trades.

Backtests, paper and live trading are measured by this one function, so their numbers compare.
"""

import math
from collections.abc import Sequence

import numpy as np

from bot_sdk.equity import DailyEquity
from bot_sdk.equity_metrics import benchmark_values, equity_values, load_values
from bot_sdk.metric_table import METRICS, Metric
from bot_sdk.safe_numbers import Values, ratio
from bot_sdk.trade_metrics import line_values, trade_values
from bot_sdk.trades import Trade

# they take the balance for what trades alone have made of the first one
_OF_A_BALANCE_ALONE = ("arithmetic_holding_return_percent", "geometric_holding_return_percent", "turnover")


def measure(
    equity: DailyEquity,
    trades: Sequence[Trade],
    *,
    buy_and_hold: DailyEquity | None = None,
    loads: Sequence[float] | None = None,
) -> Values:
    """Return every metric by its key, in the table's unit and order; None where it says nothing.

    `trades` are oldest first. `buy_and_hold` is the market over the same days, as equity or prices; `loads`
    has the position's worth by the equity at each candle's close, 0 when flat. What needs one that is not
    given has no value, nor has what compares trades with the balance where money was put in or taken out.
    Raises ValueError for a `buy_and_hold` of other days.
    """
    with np.errstate(all="ignore"):  # whatever is not finite is left out below
        values = _values(equity, trades, buy_and_hold, loads)
    return {
        metric.key: _stated(metric, values.get(metric.key), days=equity.days, trades=len(trades))
        for metric in METRICS
    }


def _values(
    equity: DailyEquity,
    trades: Sequence[Trade],
    buy_and_hold: DailyEquity | None,
    loads: Sequence[float] | None,
) -> Values:
    values: Values = {"trades": float(len(trades))}
    if equity.days:
        values |= equity_values(equity)
        values["trades_per_week"] = len(trades) / equity.days * 7
    if trades:
        values |= trade_values(trades) | line_values(trades, float(equity.values[0]))
        values["turnover"] = ratio(values["volume"], float(equity.values.mean()))
    if equity.money is not None:
        values |= dict.fromkeys(_OF_A_BALANCE_ALONE)
    if buy_and_hold is not None:
        values |= benchmark_values(equity, buy_and_hold)
    if loads is not None:
        values |= load_values(np.asarray(loads, dtype=np.float64))
    return values


def _stated(metric: Metric, value: float | None, *, days: int, trades: int) -> float | None:
    if value is None or days < metric.minimum_days or trades < metric.minimum_trades:
        return None
    return float(value) if math.isfinite(value) else None
