"""Every metric's name, unit, least sample and definition, as data.

`bot_sdk.metrics.measure` computes them, pages show them, and `docs/metrics.md` lists them. In a definition, E
is the daily equity, r its daily returns, and dd how far E is below its highest value so far.
"""

from dataclasses import dataclass
from enum import StrEnum

CONVENTION = (
    "Daily UTC equity with open positions at market, net of fees; 365 days a year; no risk-free rate; "
    "trades are closed round trips."
)


class Unit(StrEnum):
    """What a value counts. PERCENT is 5.0 for 5 %, MONEY is in the market's quote currency."""

    PERCENT = "percent"
    RATIO = "ratio"
    DAYS = "days"
    MONEY = "money"
    COUNT = "count"


class Group(StrEnum):
    """Under which heading a metric stands."""

    RETURN = "Return"
    RISK = "Risk"
    RISK_ADJUSTED = "Return for the risk"
    BENCHMARK = "Against buy and hold"
    CALENDAR = "Calendar"
    TRADES = "Trades"
    STREAKS = "Streaks"
    TIME = "Time in trades"
    EXCURSIONS = "Best and worst price in trades"
    LINE = "Balance after each trade"
    ACTIVITY = "Activity and cost"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `is_higher_better` is None where neither is.

    It has no value on fewer than `minimum_days` of equity or `minimum_trades`, nor where what it divides by
    is zero. `peer` names who computes an equal number; a test holds it to that.
    """

    group: Group
    key: str
    label: str
    unit: Unit
    is_higher_better: bool | None
    minimum_days: int
    minimum_trades: int
    definition: str
    peer: str = ""


_Row = (
    tuple[str, str, Unit, bool | None, int, int, str] | tuple[str, str, Unit, bool | None, int, int, str, str]
)
_HIGHER, _LOWER, _NEITHER = True, False, None
_PERCENT, _RATIO, _DAYS, _MONEY, _COUNT = Unit

# key, label, unit, which is better, least days, least trades, definition, peer
# fmt: off
_ROWS: dict[Group, tuple[_Row, ...]] = {
    Group.RETURN: (
        ("total_return_percent", "Total return", _PERCENT, _HIGHER, 1, 0,
         "Last equity / starting balance - 1.", "backtesting.py, quantstats"),
        ("net_profit", "Net profit", _MONEY, _HIGHER, 1, 0,
         "Last equity less the starting balance."),
        ("cagr_percent", "Compound annual growth", _PERCENT, _HIGHER, 365, 0,
         "(last E / first E)^(365 / days) - 1. Not below a year: see the total return.", "quantstats"),
    ),
    Group.RISK: (
        ("volatility_percent", "Volatility", _PERCENT, _LOWER, 30, 0,
         "Sample standard deviation of r * root of 365.", "quantstats"),
        ("max_drawdown_percent", "Largest drawdown", _PERCENT, _LOWER, 1, 0,
         "The largest fall of E from a peak / that peak.", "quantstats, backtesting.py"),
        ("max_drawdown_money", "Largest drawdown in money", _MONEY, _LOWER, 1, 0,
         "The largest fall of E from a peak."),
        ("longest_drawdown_days", "Longest drawdown", _DAYS, _LOWER, 1, 0,
         "The most days from a peak to the day that reached it again, or to the last day.", "backtesting.py"),
        ("recovery_days", "Recovery from the largest drawdown", _DAYS, _LOWER, 1, 0,
         "From its lowest day to the day that reached its peak again; none while it lasts."),
        ("current_drawdown_percent", "Drawdown now", _PERCENT, _LOWER, 1, 0,
         "How far the last E is below the highest / the highest."),
        ("ulcer_index_percent", "Ulcer index", _PERCENT, _LOWER, 30, 0,
         "Root of (sum of dd^2 / (days - 1)).", "quantstats"),
        ("value_at_risk_percent", "Value at risk, 95 %, a day", _PERCENT, _HIGHER, 30, 0,
         "The 5 % quantile of a normal distribution with r's mean and deviation; below zero is a loss.",
         "quantstats"),
        ("conditional_value_at_risk_percent", "Mean of the worst 5 % of days", _PERCENT, _HIGHER, 100, 0,
         "Mean of the r at or below their 5 % quantile.", "quantstats"),
        ("tail_ratio", "Tail ratio", _RATIO, _HIGHER, 100, 0,
         "Size of (95 % quantile of r / 5 % quantile of r).", "quantstats"),
    ),
    Group.RISK_ADJUSTED: (
        ("sharpe", "Sharpe ratio", _RATIO, _HIGHER, 60, 0,
         "Mean of r / sample standard deviation of r * root of 365.", "quantstats"),
        ("smart_sharpe", "Smart Sharpe ratio", _RATIO, _HIGHER, 60, 0,
         "Sharpe / root of (1 + 2 sum((N - x) / N * a^x)), x from 1 to N - 1, with a the size of "
         "r's correlation with the day before: steady runs of returns count for less.", "quantstats"),
        ("probabilistic_sharpe_percent", "Probability of a Sharpe above 0", _PERCENT, _HIGHER, 60, 0,
         "Phi(S / root of ((1 - g3 S + (g4 - 1) / 4 S^2) / (N - 1))), with S the Sharpe ratio of a day and "
         "g3, g4 the skewness and kurtosis of r (Bailey and López de Prado, 2012)."),
        ("sortino", "Sortino ratio", _RATIO, _HIGHER, 60, 0,
         "Mean of r / root of the mean of min(r, 0)^2 * root of 365.", "quantstats"),
        ("calmar", "Calmar ratio", _RATIO, _HIGHER, 365, 0,
         "Compound annual growth / largest drawdown.", "quantstats"),
        ("recovery_factor", "Recovery factor", _RATIO, _HIGHER, 30, 0,
         "Net profit / largest drawdown in money."),
        ("omega", "Omega ratio", _RATIO, _HIGHER, 60, 0,
         "Sum of the r above 0 / size of the sum of those below.", "quantstats"),
        ("gain_to_pain", "Gain to pain", _RATIO, _HIGHER, 60, 0,
         "Sum of all r / size of the sum of those below 0.", "quantstats"),
        ("ulcer_performance", "Ulcer performance", _RATIO, _HIGHER, 60, 0,
         "Total return / ulcer index.", "quantstats"),
        ("serenity", "Serenity index", _RATIO, _HIGHER, 100, 0,
         "Sum of r / (ulcer index * size of the mean of the worst 5 % of dd / deviation of r); fractions."),
    ),
    Group.BENCHMARK: (
        ("buy_and_hold_percent", "Buy and hold", _PERCENT, _NEITHER, 1, 0,
         "What buying at the start and holding would have returned, without fees.", "backtesting.py"),
        ("beta", "Beta", _RATIO, _NEITHER, 30, 0,
         "Covariance of the daily log returns of E and of the market / variance of the market's.",
         "backtesting.py"),
        ("alpha_percent", "Alpha", _PERCENT, _HIGHER, 30, 0,
         "Total return - beta * buy and hold.", "backtesting.py"),
    ),
    Group.CALENDAR: (
        ("best_day_percent", "Best day", _PERCENT, _HIGHER, 2, 0, "Largest r.", "quantstats"),
        ("worst_day_percent", "Worst day", _PERCENT, _HIGHER, 2, 0, "Smallest r.", "quantstats"),
        ("winning_days_percent", "Winning days", _PERCENT, _HIGHER, 30, 0, "Share of days with r above 0."),
        ("best_month_percent", "Best month", _PERCENT, _HIGHER, 60, 0,
         "Largest return of a calendar month; the first and the last may be measured in part.", "quantstats"),
        ("worst_month_percent", "Worst month", _PERCENT, _HIGHER, 60, 0,
         "Smallest return of a calendar month.", "quantstats"),
        ("winning_months_percent", "Winning months", _PERCENT, _HIGHER, 180, 0,
         "Share of calendar months with a return above 0."),
    ),
    Group.TRADES: (
        ("trades", "Trades", _COUNT, _NEITHER, 0, 0, "Closed round trips.", "backtesting.py"),
        ("win_rate_percent", "Win rate", _PERCENT, _HIGHER, 0, 10,
         "Share of trades with a profit above 0 after fees.", "backtesting.py"),
        ("profit_factor", "Profit factor", _RATIO, _HIGHER, 0, 10,
         "Profit of all winners / loss of all losers, in money after fees."),
        ("payoff", "Payoff", _RATIO, _HIGHER, 0, 10, "Mean profit of winners / mean loss of losers."),
        ("expectancy", "Expectancy", _MONEY, _HIGHER, 0, 10,
         "Win rate * mean win - loss rate * mean loss, which is the mean profit of a trade."),
        ("expectancy_ratio", "Expectancy ratio", _RATIO, _HIGHER, 0, 10, "(1 + payoff) * win rate - 1."),
        ("average_trade_percent", "Mean return of a trade", _PERCENT, _HIGHER, 0, 10,
         "Mean of the trades' returns, each profit / what was paid without fees.", "backtesting.py"),
        ("best_trade_percent", "Best trade", _PERCENT, _HIGHER, 0, 1,
         "Largest return of a trade.", "backtesting.py"),
        ("worst_trade_percent", "Worst trade", _PERCENT, _HIGHER, 0, 1,
         "Smallest return of a trade.", "backtesting.py"),
        ("system_quality", "System quality number", _RATIO, _HIGHER, 0, 30,
         "Root of the number of trades * mean profit / sample standard deviation of the profits.",
         "backtesting.py"),
        ("kelly_percent", "Kelly criterion", _PERCENT, _HIGHER, 0, 30,
         "Win rate - (1 - win rate) / payoff.", "backtesting.py"),
    ),
    Group.STREAKS: (
        ("winning_streak", "Longest winning streak", _COUNT, _HIGHER, 0, 10, "Most winners in a row."),
        ("winning_streak_profit", "Its profit", _MONEY, _HIGHER, 0, 10,
         "Profit of the longest winning streak, the first of equals."),
        ("losing_streak", "Longest losing streak", _COUNT, _LOWER, 0, 10, "Most losers in a row."),
        ("losing_streak_profit", "Its loss", _MONEY, _HIGHER, 0, 10,
         "Profit of the longest losing streak, below zero."),
        ("largest_streak_profit", "Most won in a row", _MONEY, _HIGHER, 0, 10,
         "Largest profit of winners in a row."),
        ("largest_streak_loss", "Most lost in a row", _MONEY, _HIGHER, 0, 10,
         "Largest loss of losers in a row, below zero."),
    ),
    Group.TIME: (
        ("average_holding_days", "Mean time in a trade", _DAYS, _NEITHER, 0, 1,
         "From the first fill to the last.", "backtesting.py"),
        ("median_holding_days", "Median time in a trade", _DAYS, _NEITHER, 0, 1,
         "Half of the trades were shorter."),
        ("longest_holding_days", "Longest trade", _DAYS, _NEITHER, 0, 1,
         "The most time in a trade.", "backtesting.py"),
        ("winner_holding_days", "Mean time in winners", _DAYS, _NEITHER, 0, 10, "Trades with a profit."),
        ("loser_holding_days", "Mean time in losers", _DAYS, _NEITHER, 0, 10, "Trades with a loss."),
        ("trades_per_week", "Trades a week", _RATIO, _NEITHER, 7, 0, "Trades / days * 7."),
        ("exposure_percent", "Exposure", _PERCENT, _NEITHER, 1, 0,
         "Share of candles at whose close a position was open."),
        ("average_load_percent", "Mean load", _PERCENT, _NEITHER, 1, 0,
         "Worth of the position / equity, mean of all candles."),
        ("max_load_percent", "Largest load", _PERCENT, _LOWER, 1, 0,
         "Worth of the position / equity, the largest of all candles."),
    ),
    Group.EXCURSIONS: (
        ("average_mae_percent", "Mean adverse excursion", _PERCENT, _HIGHER, 0, 10,
         "Lowest price in the trade / entry price - 1, mean of all trades."),
        ("worst_mae_percent", "Largest adverse excursion", _PERCENT, _HIGHER, 0, 1,
         "The furthest that the price fell below an entry's."),
        ("average_mfe_percent", "Mean favorable excursion", _PERCENT, _HIGHER, 0, 10,
         "Highest price in the trade / entry price - 1, mean of all trades."),
        ("best_mfe_percent", "Largest favorable excursion", _PERCENT, _HIGHER, 0, 1,
         "The furthest that the price rose above an entry's."),
        ("average_given_back_percent", "Mean given back", _PERCENT, _LOWER, 0, 10,
         "Favorable excursion less the trade's return, mean of all trades."),
        ("mae_correlation", "Return and adverse excursion", _RATIO, _NEITHER, 0, 30,
         "Correlation of the trades' returns with their adverse excursions."),
        ("mfe_correlation", "Return and favorable excursion", _RATIO, _NEITHER, 0, 30,
         "Correlation of the trades' returns with their favorable excursions."),
    ),
    Group.LINE: (
        ("line_correlation", "Straightness", _RATIO, _HIGHER, 0, 30,
         "Correlation of the balance after each trade with the trade's number."),
        ("line_error", "Distance from the line", _MONEY, _LOWER, 0, 30,
         "Standard error of that balance around its regression line, two degrees of freedom less."),
        ("runs_z_score", "Z-score of runs", _RATIO, _NEITHER, 0, 30,
         "(N (R - 0.5) - P) / root of (P (P - N) / (N - 1)), with R runs of winners or losers and P = 2 * "
         "winners * losers; below zero, wins follow wins."),
        ("arithmetic_holding_return_percent", "Mean change of balance by trade", _PERCENT, _HIGHER, 0, 10,
         "Mean of (balance after a trade / balance before it - 1)."),
        ("geometric_holding_return_percent", "Compound change of balance by trade", _PERCENT, _HIGHER, 0, 10,
         "(Last balance / starting balance)^(1 / trades) - 1."),
    ),
    Group.ACTIVITY: (
        ("fees", "Fees of trades", _MONEY, _LOWER, 0, 1, "Fees of closed trades.", "backtesting.py"),
        ("volume", "Volume", _MONEY, _NEITHER, 0, 1, "Worth of all buys and sells of closed trades."),
        ("turnover", "Turnover", _RATIO, _NEITHER, 1, 1, "Volume / mean equity."),
    ),
}
# fmt: on

METRICS = tuple(Metric(group, *row) for group, rows in _ROWS.items() for row in rows)
