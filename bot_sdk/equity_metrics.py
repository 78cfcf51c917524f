"""Metrics of daily equity, each as `bot_sdk.metric_table` defines it."""

from statistics import NormalDist

import numpy as np

from bot_sdk.equity import DailyEquity, Floats, drawdowns, monthly_returns
from bot_sdk.robustness import probabilistic_sharpe
from bot_sdk.safe_numbers import Values, correlation, deviation, mean, percent, ratio

_YEAR = 365


def equity_values(equity: DailyEquity) -> Values:
    """Return the metrics of the series alone; they need at least one day."""
    return _growth(equity) | _risk(equity) | _risk_adjusted(equity) | _calendar(equity)


def benchmark_values(equity: DailyEquity, buy_and_hold: DailyEquity) -> Values:
    """Return the metrics against buying and holding, a series of the same days (prices will do).

    Raises ValueError for a series of other days.
    """
    if (equity.start_on, equity.days) != (buy_and_hold.start_on, buy_and_hold.days):
        raise ValueError(
            f"Buy and hold has to cover the equity's {equity.days} days from {equity.start_on}, "
            f"not {buy_and_hold.days} from {buy_and_hold.start_on}."
        )
    held = _total_return(buy_and_hold)
    ours, market = np.log1p(equity.returns), np.log1p(buy_and_hold.returns)
    beta = None
    if deviation(market):
        beta = float(np.cov(ours, market)[0, 1] / market.var(ddof=1))
    return {
        "buy_and_hold_percent": held * 100,
        "beta": beta,
        "alpha_percent": None if beta is None else (_total_return(equity) - beta * held) * 100,
    }


def load_values(loads: Floats) -> Values:
    """Return how much was at work, from the position's worth by the equity at each candle's close."""
    return {
        "exposure_percent": percent(mean((loads > 0).astype(np.float64))),
        "average_load_percent": percent(mean(loads)),
        "max_load_percent": float(loads.max()) * 100 if len(loads) else None,
    }


def _growth(equity: DailyEquity) -> Values:
    total = _total_return(equity)
    return {
        "total_return_percent": total * 100,
        "net_profit": _net_profit(equity),
        "cagr_percent": _annual_growth(equity) * 100,
    }


def _risk(equity: DailyEquity) -> Values:
    returns, below = equity.returns, equity.drawdown
    episodes = drawdowns(equity)
    deepest = max(episodes, key=lambda episode: episode.depth_percent, default=None)
    recovery = deepest.recovered_on - deepest.trough_on if deepest and deepest.recovered_on else None
    spread = deviation(returns)
    tail = NormalDist().inv_cdf(0.05)
    return {
        "volatility_percent": None if spread is None else spread * np.sqrt(_YEAR) * 100,
        "max_drawdown_percent": equity.max_drawdown * 100,
        "max_drawdown_money": _largest_fall(equity),
        "longest_drawdown_days": float(max((episode.days for episode in episodes), default=0)),
        "recovery_days": float(recovery.days) if recovery else None,
        "current_drawdown_percent": abs(float(below[-1])) * 100,
        "ulcer_index_percent": percent(_ulcer(equity)),
        "value_at_risk_percent": None if spread is None else (float(returns.mean()) + tail * spread) * 100,
        "conditional_value_at_risk_percent": _mean_of_worst(returns) * 100,
        "tail_ratio": _tail_ratio(returns),
    }


def _risk_adjusted(equity: DailyEquity) -> Values:
    returns = equity.returns
    average, spread = mean(returns), deviation(returns)
    sharpe = _annual(ratio(average, spread))
    losses = float(-returns[returns < 0].sum())
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0) ** 2)))
    ulcer, pitfall = _ulcer(equity), ratio(-_mean_of_worst(equity.drawdown[1:]), spread)
    return {
        "sharpe": sharpe,
        "smart_sharpe": ratio(sharpe, _autocorrelation_penalty(returns)),
        "probabilistic_sharpe_percent": percent(probabilistic_sharpe(returns)),
        "sortino": _annual(ratio(average, downside)),
        "calmar": ratio(_annual_growth(equity), equity.max_drawdown),
        "recovery_factor": ratio(_net_profit(equity), _largest_fall(equity)),
        "omega": ratio(float(returns[returns > 0].sum()), losses),
        "gain_to_pain": ratio(float(returns.sum()), losses),
        "ulcer_performance": ratio(_total_return(equity), ulcer),
        "serenity": ratio(ratio(float(returns.sum()), ulcer), pitfall),
    }


def _calendar(equity: DailyEquity) -> Values:
    returns = equity.returns
    months = [change for year in monthly_returns(equity) for change in year.months if change is not None]
    return {
        "best_day_percent": float(returns.max()) * 100,
        "worst_day_percent": float(returns.min()) * 100,
        "winning_days_percent": float((returns > 0).mean()) * 100,
        "best_month_percent": max(months),
        "worst_month_percent": min(months),
        "winning_months_percent": sum(change > 0 for change in months) / len(months) * 100,
    }


def _total_return(equity: DailyEquity) -> float:
    return float(equity.values[-1] / equity.values[0] - 1)


def _net_profit(equity: DailyEquity) -> float:
    return float(equity.in_money[-1] - equity.in_money[0])


def _annual_growth(equity: DailyEquity) -> float:
    return float((equity.values[-1] / equity.values[0]) ** (_YEAR / equity.days) - 1)


def _largest_fall(equity: DailyEquity) -> float:
    money = equity.in_money
    falls = np.where(equity.drawdown < 0, np.maximum.accumulate(money) - money, 0.0)
    return float(falls.max())


def _ulcer(equity: DailyEquity) -> float | None:
    return None if equity.days < 2 else float(np.sqrt((equity.drawdown**2).sum() / (equity.days - 1)))


def _mean_of_worst(values: Floats) -> float:
    return float(values[values <= np.quantile(values, 0.05)].mean())


def _tail_ratio(returns: Floats) -> float | None:
    lower, upper = np.quantile(returns, (0.05, 0.95)).tolist()
    quotient = ratio(upper, lower)
    return None if quotient is None else abs(quotient)


def _autocorrelation_penalty(returns: Floats) -> float:
    with_day_before = correlation(returns[:-1], returns[1:])
    if with_day_before is None:
        return 1.0
    count = len(returns)
    lags = np.arange(1, count)
    return float(np.sqrt(1 + 2 * ((count - lags) / count * abs(with_day_before) ** lags).sum()))


def _annual(daily: float | None) -> float | None:
    return None if daily is None else daily * float(np.sqrt(_YEAR))
