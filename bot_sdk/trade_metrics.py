"""Metrics of closed trades, each as `bot_sdk.metric_table` defines it."""

from collections.abc import Sequence

import numpy as np

from bot_sdk.equity import Floats
from bot_sdk.safe_numbers import Values, correlation, deviation, mean, percent, ratio
from bot_sdk.trades import Trade

_SECONDS_A_DAY = 86_400


def trade_values(trades: Sequence[Trade]) -> Values:
    """Return the metrics of the trades alone; there has to be one."""
    pnl = np.array([float(trade.pnl) for trade in trades])
    returns = np.array([trade.return_fraction for trade in trades])
    return (
        _profits(pnl, returns)
        | _streaks(pnl)
        | _times(trades, pnl)
        | _excursions(trades, returns)
        | _costs(trades)
    )


def line_values(trades: Sequence[Trade], starting_balance: float) -> Values:
    """Return how evenly the balance grew from trade to trade; there has to be one."""
    pnl = np.array([float(trade.pnl) for trade in trades])
    balance = starting_balance + np.cumsum(np.append(0.0, pnl))
    number = np.arange(len(balance), dtype=np.float64)
    steps = balance[1:] / balance[:-1] - 1 if (balance > 0).all() else np.array([])
    growth = ratio(float(balance[-1]), float(balance[0])) if len(steps) else None
    return {
        "line_correlation": correlation(number, balance),
        "line_error": _line_error(number, balance),
        "runs_z_score": _runs_z_score(pnl),
        "arithmetic_holding_return_percent": percent(mean(steps)),
        "geometric_holding_return_percent": None if growth is None else (growth ** (1 / len(pnl)) - 1) * 100,
    }


def _profits(pnl: Floats, returns: Floats) -> Values:
    wins, losses = pnl[pnl > 0], -pnl[pnl < 0]
    win_rate = len(wins) / len(pnl)
    payoff = ratio(mean(wins), mean(losses))
    quality = ratio(float(pnl.mean()), deviation(pnl))
    return {
        "win_rate_percent": win_rate * 100,
        "profit_factor": ratio(float(wins.sum()), float(losses.sum())),
        "payoff": payoff,
        "expectancy": float(pnl.mean()),
        "expectancy_ratio": None if payoff is None else (1 + payoff) * win_rate - 1,
        "average_trade_percent": float(returns.mean()) * 100,
        "best_trade_percent": float(returns.max()) * 100,
        "worst_trade_percent": float(returns.min()) * 100,
        "system_quality": None if quality is None else float(np.sqrt(len(pnl))) * quality,
        "kelly_percent": _kelly_percent(win_rate, payoff),
    }


def _kelly_percent(win_rate: float, payoff: float | None) -> float | None:
    lost = ratio(1 - win_rate, payoff)
    return None if lost is None else (win_rate - lost) * 100


def _streaks(pnl: Floats) -> Values:
    """A trade without profit or loss ends a streak."""
    signs = np.sign(pnl)
    firsts = np.append(0, np.flatnonzero(np.diff(signs)) + 1)
    lengths, profits = np.diff(np.append(firsts, len(pnl))), np.add.reduceat(pnl, firsts)
    won, lost = signs[firsts] > 0, signs[firsts] < 0
    winning_streak, winning_profit = _longest(lengths[won], profits[won])
    losing_streak, losing_profit = _longest(lengths[lost], profits[lost])
    return {
        "winning_streak": winning_streak,
        "winning_streak_profit": winning_profit,
        "losing_streak": losing_streak,
        "losing_streak_profit": losing_profit,
        "largest_streak_profit": float(profits[won].max(initial=0)),
        "largest_streak_loss": float(profits[lost].min(initial=0)),
    }


def _longest(lengths: np.ndarray, profits: Floats) -> tuple[float, float]:
    if not len(lengths):
        return 0.0, 0.0
    return float(lengths.max()), float(profits[lengths.argmax()])


def _times(trades: Sequence[Trade], pnl: Floats) -> Values:
    days = np.array([trade.held_for.total_seconds() / _SECONDS_A_DAY for trade in trades])
    return {
        "average_holding_days": float(days.mean()),
        "median_holding_days": float(np.median(days)),
        "longest_holding_days": float(days.max()),
        "winner_holding_days": mean(days[pnl > 0]),
        "loser_holding_days": mean(days[pnl < 0]),
    }


def _excursions(trades: Sequence[Trade], returns: Floats) -> Values:
    adverse = [trade.mae_fraction for trade in trades if trade.mae_fraction is not None]
    favorable = [trade.mfe_fraction for trade in trades if trade.mfe_fraction is not None]
    if len(adverse) < len(trades) or len(favorable) < len(trades):
        return {}
    mae, mfe = np.array(adverse), np.array(favorable)
    return {
        "average_mae_percent": float(mae.mean()) * 100,
        "worst_mae_percent": float(mae.min()) * 100,
        "average_mfe_percent": float(mfe.mean()) * 100,
        "best_mfe_percent": float(mfe.max()) * 100,
        "average_given_back_percent": float((mfe - returns).mean()) * 100,
        "mae_correlation": correlation(returns, mae),
        "mfe_correlation": correlation(returns, mfe),
    }


def _costs(trades: Sequence[Trade]) -> Values:
    amounts = np.array([float(trade.amount) for trade in trades])
    prices = np.array([float(trade.entry_price + trade.exit_price) for trade in trades])
    return {
        "fees": float(sum(trade.fees for trade in trades)),
        "volume": float(amounts @ prices),
    }


def _line_error(number: Floats, balance: Floats) -> float | None:
    if len(balance) < 3:
        return None
    slope, offset = np.polyfit(number, balance, 1)
    rest = balance - (slope * number + offset)
    return float(np.sqrt((rest**2).sum() / (len(balance) - 2)))


def _runs_z_score(pnl: Floats) -> float | None:
    """Of winners and losers; trades without profit or loss are left out."""
    signs = np.sign(pnl[pnl != 0])
    count, wins = len(signs), int((signs > 0).sum())
    product = 2 * wins * (count - wins)
    if product <= count:
        return None
    runs = int((np.diff(signs) != 0).sum()) + 1
    return float((count * (runs - 0.5) - product) / np.sqrt(product * (product - count) / (count - 1)))
