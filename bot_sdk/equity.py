"""What a run's money was worth, day by day in UTC: the series that every metric begins from.

A day ends at 24:00 UTC, so a value at exactly midnight, as at the close of a day's last candle, belongs to
the day that ends there. The first value is the starting balance, so a loss on the very first day counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A ratio of two floats is off by up to 2e-16. Without a floor that would be a loss to divide by.
NOISE = 1e-12
_MOMENT = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class DailyEquity:
    """Equity in quote, net of fees, open positions at market: `values[i]` at the end of `start_on` + i days.

    `values[0]` is the starting balance, above zero; the others are zero (all is lost) or more. Raises
    ValueError for anything else.

    Where money was put in or taken out on the way, `values` are what the starting balance would have become
    without (time-weighted), and `money` the starting balance and the profit so far, which may be below zero.
    None is where nothing was: it is then the same.
    """

    start_on: date
    values: Floats
    money: Floats | None = None

    def __post_init__(self) -> None:
        values = self.values
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ValueError(f"Daily equity takes one or more finite numbers, not {values}.")
        if values[0] <= 0 or values.min() < 0:
            raise ValueError(
                f"Daily equity starts above zero and is never below it: it starts with {values[0]}, "
                f"and the smallest value is {values.min()}."
            )

    @property
    def in_money(self) -> Floats:
        """The starting balance and the profit so far at each day's end, in quote."""
        return self.values if self.money is None else self.money

    @property
    def days(self) -> int:
        """How many days were measured: one less than there are values."""
        return len(self.values) - 1

    @property
    def dates(self) -> list[date]:
        """The day that each value ends, the starting balance's being the day before the first."""
        return [self.start_on + offset * _DAY for offset in range(len(self.values))]

    @property
    def returns(self) -> Floats:
        """Each day's return as a fraction, 0.01 for 1 %; 0 on days that began with nothing."""
        before, after = self.values[:-1], self.values[1:]
        change = np.divide(after, before, out=np.ones_like(after), where=before > 0) - 1
        return _without_noise(change)

    @property
    def drawdown(self) -> Floats:
        """How far below its highest value so far each value is, as a fraction: 0, or below zero."""
        return _without_noise(self.values / np.maximum.accumulate(self.values) - 1)

    @property
    def max_drawdown(self) -> float:
        """The largest fall from a peak by the peak, as a fraction: 0.05 for 5 % lost."""
        return abs(float(self.drawdown.min()))


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One stay below a peak. `depth_percent` is 5.0 for 5 % lost; `days` run from the peak to the day that
    reached it again, or to the last day where `recovered_on` is None.
    """

    peak_on: date
    trough_on: date
    recovered_on: date | None
    depth_percent: float
    days: int


@dataclass(frozen=True, slots=True)
class YearOfReturns:
    """One row of a heat map: twelve monthly returns in percent, January first, and the whole year's.

    A month is None where nothing was measured; the first and the last month may be measured in part.
    """

    year: int
    months: tuple[float | None, ...]
    total_percent: float


def daily_equity(points: Iterable[tuple[datetime, Decimal | float]]) -> DailyEquity:
    """Return the last value of each UTC day from (aware time, equity in quote), oldest first.

    The first point is the starting balance. A day without a point keeps the value of the day before; a value
    below zero counts as zero. Prices serve as well where only returns count, as of buying and holding.
    Raises ValueError without any point, for a naive time, one that goes back, and a start not above zero.
    """
    start_on, values = daily_values(points)
    return DailyEquity(start_on, np.where(values < 0, 0.0, values) if values[0] > 0 else values)


def daily_values(points: Iterable[tuple[datetime, Decimal | float]]) -> tuple[date, Floats]:
    """Return the day before the first and the values of every day, as `daily_equity` takes and fills them.

    They may be below zero.
    """
    start_on: date | None = None
    start: Decimal | float = 0
    closes: dict[int, Decimal | float] = {}
    latest = datetime.min.replace(tzinfo=UTC)
    for moment, value in points:
        if moment.tzinfo is None:
            raise ValueError(f"Expected a time with a time zone, got the naive {moment.isoformat()}.")
        at = moment.astimezone(UTC)
        if start_on is None:
            start_on, start = at.date() - _DAY, value
        if at < latest:
            raise ValueError(f"Points go oldest first, but {at.isoformat()} follows {latest.isoformat()}.")
        latest = at
        closes[(at - _MOMENT).toordinal()] = value
    if start_on is None:
        raise ValueError("Equity needs at least one point: the starting balance.")
    closes[start_on.toordinal()] = start
    return start_on, _every_day(closes)


def drawdowns(equity: DailyEquity) -> list[Drawdown]:
    """Return every stay below an earlier peak, oldest first; the last may not have recovered."""
    below = equity.drawdown
    is_below = np.concatenate(([False], below < 0, [False]))
    edges = np.flatnonzero(np.diff(is_below.astype(np.int8)))
    return [_drawdown(equity, below, int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def monthly_returns(equity: DailyEquity) -> list[YearOfReturns]:
    """Return the compounded return of each calendar month and year, oldest first; none without a day."""
    dates = np.datetime64(equity.start_on, "D") + np.arange(1, len(equity.values))
    years: dict[int, list[float | None]] = {}
    totals: dict[int, float] = {}
    for month, change in _changes(equity.values, dates.astype("datetime64[M]")):
        years.setdefault(1970 + month // 12, [None] * 12)[month % 12] = change
    for year, change in _changes(equity.values, dates.astype("datetime64[Y]")):
        totals[1970 + year] = change
    return [YearOfReturns(year, tuple(months), totals[year]) for year, months in years.items()]


def _changes(values: Floats, periods: NDArray[np.datetime64]) -> list[tuple[int, float]]:
    """Return (period since 1970, return in percent) for each run of days in the same period."""
    lasts = np.append(np.flatnonzero(np.diff(periods.astype(np.int64))), len(periods) - 1)
    if not len(periods):
        return []
    ends = values[lasts + 1]
    starts = np.concatenate((values[:1], ends[:-1]))
    changes = np.divide(ends, starts, out=np.ones_like(ends), where=starts > 0) - 1
    return list(zip(periods[lasts].astype(np.int64).tolist(), (changes * 100).tolist(), strict=True))


def _drawdown(equity: DailyEquity, below: Floats, first: int, end: int) -> Drawdown:
    trough = first + int(below[first:end].argmin())
    has_recovered = end < len(below)
    last = end if has_recovered else end - 1
    return Drawdown(
        peak_on=equity.start_on + (first - 1) * _DAY,
        trough_on=equity.start_on + trough * _DAY,
        recovered_on=equity.start_on + end * _DAY if has_recovered else None,
        depth_percent=abs(float(below[trough])) * 100,
        days=last - (first - 1),
    )


def _every_day(closes: dict[int, Decimal | float]) -> Floats:
    known = np.array(sorted(closes))
    values = np.array([float(closes[day]) for day in known.tolist()])
    days = np.arange(known[0], known[-1] + 1)
    return values[np.searchsorted(known, days, side="right") - 1]


def _without_noise(fractions: Floats) -> Floats:
    return np.where(np.abs(fractions) < NOISE, 0.0, fractions)
