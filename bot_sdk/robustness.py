"""How much of a result may be luck: what the same days in another order give, and what many tries explain."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bot_sdk.equity import DailyEquity, Floats
from bot_sdk.safe_numbers import deviation

MINIMUM_DAYS = 60
_EULER = 0.5772156649015329
_CHART_POINTS = 200


@dataclass(frozen=True, slots=True)
class Spread:
    """The original beside the 5 %, 50 % and 95 % quantile of the resampled paths, in the same unit."""

    original: float
    p5: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """What a block bootstrap of the daily returns gave.

    Final equity is in quote, the drawdown 5.0 for 5 %. The paths are quantiles of equity at each of `days` (0
    is the start), at most 201 of them; no single resampled path has to look like one of them.
    `loss_probability_percent` is the share of paths that ended below the starting balance.
    """

    seed: int
    paths: int
    block_days: int
    final_equity: Spread
    max_drawdown_percent: Spread
    loss_probability_percent: float
    days: tuple[int, ...]
    original_path: tuple[float, ...]
    p5_path: tuple[float, ...]
    p50_path: tuple[float, ...]
    p95_path: tuple[float, ...]


def monte_carlo(equity: DailyEquity, *, seed: int, paths: int = 1000) -> MonteCarlo | None:
    """Resample the daily returns in blocks; None on fewer than 60 days. The same seed gives the same result.

    A path is a row of blocks of consecutive days that begin anywhere, the last day being followed by the
    first (circular block bootstrap: Politis and Romano, 1992). A block lasts the cube root of the days,
    rounded, so that runs of losses stay together.
    """
    if equity.days < MINIMUM_DAYS:
        return None
    block_days = round(math.cbrt(equity.days))
    resampled = _resampled(equity, block_days, paths, np.random.default_rng(seed))
    peaks = np.maximum.accumulate(resampled, axis=1)
    drawdowns = (1 - resampled / peaks).max(axis=1) * 100
    days = np.unique(np.linspace(0, equity.days, _CHART_POINTS + 1).round().astype(int))
    p5, p50, p95 = np.quantile(resampled[:, days], (0.05, 0.5, 0.95), axis=0).tolist()
    return MonteCarlo(
        seed=seed,
        paths=paths,
        block_days=block_days,
        final_equity=_spread(float(equity.values[-1]), resampled[:, -1]),
        max_drawdown_percent=_spread(equity.max_drawdown * 100, drawdowns),
        loss_probability_percent=float((resampled[:, -1] < equity.values[0]).mean() * 100),
        days=tuple(days.tolist()),
        original_path=tuple(equity.values[days].tolist()),
        p5_path=tuple(p5),
        p50_path=tuple(p50),
        p95_path=tuple(p95),
    )


def probabilistic_sharpe(returns: Floats, *, above: float = 0.0) -> float | None:
    """Return how likely the true Sharpe ratio of a day is above `above`, from 0 to 1.

    Source: Bailey and López de Prado, The Sharpe Ratio Efficient Frontier (2012), with the moments of the
    record itself. None where the returns do not vary.
    """
    spread = deviation(returns)
    if not spread:
        return None
    sharpe = float(returns.mean()) / spread
    centered = (returns - returns.mean()) / returns.std()
    squared = centered**2
    skewness, kurtosis = float((squared * centered).mean()), float((squared**2).mean())
    variance = (1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (len(returns) - 1)
    if variance <= 0:
        return None
    return NormalDist().cdf((sharpe - above) / math.sqrt(variance))


def deflated_sharpe_percent(equity: DailyEquity, *, versions: int) -> float | None:
    """Return how likely the true Sharpe ratio beats what the best of `versions` worthless tries would show.

    The best of N independent tries without skill is expected at
    sigma * ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), with g Euler's constant, Z the normal quantile and sigma
    the deviation between tries, taken as that of an estimate of zero: 1 / root of (days - 1). Source: Bailey
    and López de Prado, The Deflated Sharpe Ratio (2014). With one version it is the probabilistic Sharpe
    ratio. None on fewer than 60 days.
    """
    if versions < 1:
        raise ValueError(f"At least one version was tried, not {versions}.")
    if equity.days < MINIMUM_DAYS:
        return None
    probability = probabilistic_sharpe(equity.returns, above=_best_by_luck(versions, equity.days))
    return None if probability is None else probability * 100


def _best_by_luck(versions: int, days: int) -> float:
    if versions == 1:
        return 0.0
    quantile = NormalDist().inv_cdf
    best = (1 - _EULER) * quantile(1 - 1 / versions) + _EULER * quantile(1 - 1 / (versions * math.e))
    return best / math.sqrt(days - 1)


def _resampled(equity: DailyEquity, block_days: int, paths: int, random: np.random.Generator) -> Floats:
    """Return one row of equity for each path, its first value the starting balance."""
    blocks = math.ceil(equity.days / block_days)
    starts = random.integers(equity.days, size=(paths, blocks, 1))
    picked = ((starts + np.arange(block_days)) % equity.days).reshape(paths, -1)[:, : equity.days]
    growth = np.cumprod(1 + equity.returns[picked], axis=1)
    resampled: Floats = equity.values[0] * np.concatenate((np.ones((paths, 1)), growth), axis=1)
    return resampled


def _spread(original: float, resampled: Floats) -> Spread:
    p5, p50, p95 = np.quantile(resampled, (0.05, 0.5, 0.95)).tolist()
    return Spread(original, p5, p50, p95)
