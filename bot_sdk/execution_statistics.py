"""How well decisions were carried out: speed, price, fees, and what came of each cycle."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from bot_sdk.action import BUY
from bot_sdk.ledger import ZERO
from bot_sdk.money import exact

MINIMUM_FOR_MEDIAN = 5
MINIMUM_FOR_P95 = 20  # of fewer, one in twenty is less than one


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of `count` values: None for the median of fewer than 5, and for the 95 % quantile of fewer than 20."""

    count: int
    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class ExecutionStatistics:
    """`latency_seconds` from candle close to order; `slippage_percent` as `slippage_percent` returns it;
    `fees` in quote; cycles by the reason for which they were skipped and by their verdict.
    """

    latency_seconds: Quantiles
    slippage_percent: Quantiles
    fees: Decimal
    skips: Mapping[str, int]
    verdicts: Mapping[str, int]


def execution_statistics(
    *,
    latencies: Sequence[float],
    slippages: Sequence[float],
    fees: Iterable[Decimal],
    skips: Iterable[str],
    verdicts: Iterable[str],
) -> ExecutionStatistics:
    """Return the statistics of one number, fee, reason or verdict for each order or cycle that has one."""
    with exact():
        total = sum(fees, ZERO)
    return ExecutionStatistics(
        latency_seconds=_quantiles(latencies),
        slippage_percent=_quantiles(slippages),
        fees=total,
        skips=dict(Counter(skips).most_common()),
        verdicts=dict(Counter(verdicts).most_common()),
    )


def slippage_percent(side: str, *, decided_price: Decimal, fill_price: Decimal) -> float:
    """Return how much worse the fill was than the price at the decision: 0.1 for 0.1 %, below zero if better.

    A "BUY" is worse above that price, a "SELL" below it.
    """
    with exact():
        change = float((fill_price - decided_price) / decided_price) * 100
    return change if side == BUY else -change


def _quantiles(values: Sequence[float]) -> Quantiles:
    numbers = np.asarray(values, dtype=np.float64)
    return Quantiles(
        count=len(numbers),
        median=float(np.median(numbers)) if len(numbers) >= MINIMUM_FOR_MEDIAN else None,
        p95=float(np.quantile(numbers, 0.95)) if len(numbers) >= MINIMUM_FOR_P95 else None,
    )
