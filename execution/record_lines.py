"""What is kept of a measured run, of whichever kind."""

from collections.abc import Sequence

LINE_POINTS = 60
FIGURES = (
    "total_return_percent",
    "buy_and_hold_percent",
    "max_drawdown_percent",
    "sharpe",
    "probabilistic_sharpe_percent",
    "trades",
    "trades_per_week",
    "win_rate_percent",
)


def thinned(values: Sequence[float], most: int = LINE_POINTS) -> list[float]:
    """Return at most so many of the values, evenly spread, with the first and the last."""
    if len(values) <= most:
        return list(values)
    last = len(values) - 1
    return [values[round(index * last / (most - 1))] for index in range(most)]
