"""Statistics that say None where they have no answer, instead of inf, nan or a rounding error's quotient."""

import numpy as np

from bot_sdk.equity import NOISE, Floats

Values = dict[str, float | None]  # by metric key


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """Return the quotient; None when either is missing or the denominator is zero."""
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def percent(fraction: float | None) -> float | None:
    """Return 5.0 for 0.05."""
    return None if fraction is None else fraction * 100


def mean(values: Floats) -> float | None:
    """Return the mean; None of nothing."""
    return float(values.mean()) if len(values) else None


def deviation(values: Floats) -> float | None:
    """Return the sample standard deviation (ddof 1); None of fewer than two values.

    It is 0 where the values differ by no more than floats round: constant daily returns differ by 1e-16.
    """
    if len(values) < 2:
        return None
    spread = float(values.std(ddof=1))
    return spread if spread > NOISE * max(1.0, float(np.abs(values).max())) else 0.0


def correlation(first: Floats, second: Floats) -> float | None:
    """Return Pearson's correlation; None where one of the two does not vary."""
    if not deviation(first) or not deviation(second):
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))
