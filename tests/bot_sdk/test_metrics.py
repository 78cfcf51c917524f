import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot_sdk.equity import DailyEquity, Drawdown, YearOfReturns, daily_equity, drawdowns, monthly_returns
from bot_sdk.equity_metrics import benchmark_values, equity_values, load_values
from bot_sdk.metric_table import METRICS, Metric
from bot_sdk.metrics import measure
from bot_sdk.trades import Trade

START = date(2026, 1, 1)
ROOT = math.sqrt(365)


def equity_of(*values: float) -> DailyEquity:
    return DailyEquity(START, np.array(values, dtype=np.float64))


def about(value: float) -> Any:
    return pytest.approx(value)


def make_trade(pnl: float, number: int = 0, hours: int = 1) -> Trade:
    opened_at = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(hours=number)
    return Trade(
        opened_at=opened_at,
        closed_at=opened_at + timedelta(hours=hours),
        entry_price=Decimal(100),
        exit_price=Decimal(100) + Decimal(repr(pnl)),
        amount=Decimal(1),
        fees=Decimal("0.1"),
        pnl=Decimal(repr(pnl)),
        return_fraction=pnl / 100,
        mae_fraction=min(pnl, 0) / 100 - 0.01 * (number % 3),
        mfe_fraction=max(pnl, 0) / 100 + 0.01 * (number % 4),
    )


def test_a_day_is_worth_its_last_value_and_keeps_it_until_the_next() -> None:
    points = [
        (datetime(2026, 1, 1, 10, tzinfo=UTC), Decimal(1000)),
        (datetime(2026, 1, 1, 20, tzinfo=UTC), Decimal(900)),
        (datetime(2026, 1, 1, 22, tzinfo=UTC), Decimal(950)),
        (datetime(2026, 1, 4, 1, tzinfo=UTC), Decimal(990)),
    ]

    equity = daily_equity(points)

    assert equity.values.tolist() == [1000, 950, 950, 950, 990]
    assert equity.dates[1:] == [date(2026, 1, day) for day in (1, 2, 3, 4)]
    assert equity.days == 4


def test_midnight_belongs_to_the_day_that_it_ends() -> None:
    midnights = [(datetime(2026, 1, day, tzinfo=UTC), 1000.0 + day) for day in (1, 2, 3)]

    equity = daily_equity(midnights)

    assert equity.values.tolist() == [1001, 1002, 1003]
    assert equity.dates == [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2)]


def test_the_first_point_stays_the_start_when_a_second_has_its_time() -> None:
    points = [
        (datetime(2026, 1, day, tzinfo=UTC), value) for day, value in ((1, 1000.0), (1, 999.0), (2, 998.0))
    ]

    assert daily_equity(points).values.tolist() == [1000, 998]


def test_days_are_those_of_utc() -> None:
    tokyo = datetime.fromisoformat("2026-01-02T08:00:00+09:00")

    assert daily_equity([(tokyo, 1.0)]).dates == [date(2025, 12, 31), date(2026, 1, 1)]


def test_what_is_owed_counts_as_all_lost() -> None:
    equity = daily_equity(
        [(datetime(2026, 1, day, tzinfo=UTC), value) for day, value in ((1, 10.0), (2, -1.0))]
    )

    assert equity.values.tolist() == [10, 0]


@pytest.mark.parametrize(
    "points, problem",
    [
        ([], "at least one point"),
        ([(datetime(2026, 1, 1), 1.0)], "time zone"),  # noqa: DTZ001
        ([(datetime(2026, 1, day, tzinfo=UTC), 1.0) for day in (2, 1)], "oldest first"),
        ([(datetime(2026, 1, 1, tzinfo=UTC), 0.0)], "above zero"),
        ([(datetime(2026, 1, 1, tzinfo=UTC), math.nan)], "finite"),
    ],
)
def test_points_that_are_no_equity_are_refused(points: list[tuple[datetime, float]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        daily_equity(points)


def test_metrics_of_three_days_by_hand() -> None:
    values = equity_values(equity_of(100, 110, 99, 108.9))  # +10 %, -10 %, +10 %

    mean, deviation, ulcer = 0.1 / 3, math.sqrt(0.08 / 3 / 2), math.sqrt((0.1**2 + 0.01**2) / 2)
    expected = {
        "total_return_percent": 8.9,
        "net_profit": 8.9,
        "volatility_percent": deviation * ROOT * 100,
        "sharpe": mean / deviation * ROOT,
        "sortino": mean / math.sqrt(0.01 / 3) * ROOT,
        "omega": 2,
        "gain_to_pain": 1,
        "max_drawdown_percent": 10,
        "max_drawdown_money": 11,
        "current_drawdown_percent": 1,
        "longest_drawdown_days": 2,
        "recovery_factor": 8.9 / 11,
        "ulcer_index_percent": ulcer * 100,
        "ulcer_performance": 0.089 / ulcer,
        "winning_days_percent": 200 / 3,
        "best_day_percent": 10,
        "worst_day_percent": -10,
    }
    assert {key: values[key] for key in expected} == pytest.approx(expected)
    assert values["recovery_days"] is None


def test_a_loss_on_the_first_day_is_a_drawdown() -> None:
    equity = equity_of(1000, 700, 1200)

    assert equity_values(equity)["max_drawdown_percent"] == about(30)
    assert equity_values(equity)["recovery_days"] == 1
    assert drawdowns(equity) == [Drawdown(START, date(2026, 1, 2), date(2026, 1, 3), about(30), 2)]


def test_drawdowns_end_where_the_peak_is_reached_again() -> None:
    episodes = drawdowns(equity_of(10, 8, 10, 12, 9, 6, 9))

    assert episodes == [
        Drawdown(START, date(2026, 1, 2), date(2026, 1, 3), about(20), 2),
        Drawdown(date(2026, 1, 4), date(2026, 1, 6), None, about(50), 3),
    ]
    assert drawdowns(equity_of(10)) == drawdowns(equity_of(10, 10, 11)) == []


def test_months_are_compounded_and_stand_by_year() -> None:
    start = datetime(2025, 11, 30, tzinfo=UTC)  # the end of November 29
    marks = {0: 100.0, 1: 90.0, 20: 99.0, 40: 108.9, 70: 217.8}

    years = monthly_returns(daily_equity((start + timedelta(days=day), marks[day]) for day in marks))

    assert years == [
        YearOfReturns(2025, (None,) * 10 + (about(-10), about(10)), about(-1)),
        YearOfReturns(2026, (about(10), about(100)) + (None,) * 10, about(120)),
    ]
    assert monthly_returns(equity_of(100)) == []


@pytest.mark.parametrize("growth", [1.01, 1.000001])
def test_constant_returns_have_no_risk_to_divide_by(growth: float) -> None:
    metrics = measure(equity_of(*(100 * growth**day for day in range(401))), [])

    assert metrics["cagr_percent"] == pytest.approx((growth**365 - 1) * 100)
    assert (metrics["max_drawdown_percent"], metrics["volatility_percent"]) == (0, 0)
    ratios = (
        "sharpe",
        "smart_sharpe",
        "probabilistic_sharpe_percent",
        "sortino",
        "calmar",
        "omega",
        "serenity",
    )
    assert [metrics[key] for key in ratios] == [None] * len(ratios)


def test_a_rounding_error_is_no_loss() -> None:
    metrics = measure(equity_of(*([100.0, math.nextafter(100.0, 0), 101.0] * 30)), [])
    flat = measure(equity_of(*([100.0, math.nextafter(100.0, 0)] * 50)), [])

    assert metrics["omega"] == pytest.approx(30 / 29 * 101 / 100, abs=0.03)
    assert (flat["omega"], flat["max_drawdown_percent"], flat["total_return_percent"]) == (
        None,
        0,
        pytest.approx(0),
    )


def test_without_a_day_or_a_trade_only_the_count_of_trades_is_stated() -> None:
    metrics = measure(equity_of(1000), [], buy_and_hold=equity_of(5), loads=[])

    assert {key: value for key, value in metrics.items() if value is not None} == {"trades": 0}


def test_losing_everything_is_a_number_and_what_follows_is_no_return() -> None:
    equity = equity_of(100, 50, *[0] * 400)

    metrics = measure(equity, [])

    assert (metrics["total_return_percent"], metrics["cagr_percent"]) == (-100, -100)
    assert (metrics["max_drawdown_percent"], metrics["calmar"]) == (100, -1)
    assert equity.returns[:4].tolist() == [-0.5, -1, 0, 0]


def test_buy_and_hold_beta_and_alpha_by_hand() -> None:
    market = equity_of(1, 1.1, 0.99, 1.188)
    twice = equity_of(*(100 * market.values**2))

    values = benchmark_values(twice, market)

    assert values["buy_and_hold_percent"] == pytest.approx(18.8)
    assert values["beta"] == pytest.approx(2)
    assert values["alpha_percent"] == pytest.approx((1.188**2 - 1 - 2 * 0.188) * 100)


def test_a_benchmark_of_other_days_is_refused() -> None:
    with pytest.raises(ValueError, match="3 days from 2026-01-01, not 2"):
        measure(equity_of(1, 2, 3, 4), [], buy_and_hold=equity_of(1, 2, 3))


def test_exposure_counts_the_closes_with_a_position() -> None:
    values = load_values(np.array([0, 0.5, 0.9, 0]))

    assert values == pytest.approx(
        {"exposure_percent": 50, "average_load_percent": 35, "max_load_percent": 90}
    )


def rich_metrics(days: int = 400, trades: int = 40) -> dict[str, float | None]:
    """Measure a record in which everything varies and the deepest drawdown is made good."""
    day = np.arange(days + 1)
    equity = equity_of(*(1000 + day + 30 * np.sin(day / 5) + 7 * np.cos(day)))
    market = equity_of(*(50 + day / 10 + 3 * np.sin(day / 7)))
    closed = [make_trade(5 * math.sin(number), number, hours=1 + number % 5) for number in range(trades)]
    return measure(equity, closed, buy_and_hold=market, loads=[0.0, 0.4, 0.5])


def test_a_long_record_states_every_metric_in_the_tables_order() -> None:
    metrics = rich_metrics()

    assert list(metrics) == [metric.key for metric in METRICS]
    assert [key for key, value in metrics.items() if value is None] == []


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_a_metric_is_stated_from_its_least_sample_on(metric: Metric) -> None:
    enough = rich_metrics(metric.minimum_days or 400, metric.minimum_trades or 40)
    assert enough[metric.key] is not None or metric.key == "recovery_days"

    if metric.minimum_days:
        assert rich_metrics(days=metric.minimum_days - 1)[metric.key] is None
    if metric.minimum_trades:
        assert rich_metrics(trades=metric.minimum_trades - 1)[metric.key] is None


amounts = st.floats(0, 1e15, allow_subnormal=True)
profits = st.floats(-1e15, 1e15)


@settings(deadline=None)
@given(
    start=st.floats(1e-18, 1e15),
    pattern=st.lists(amounts, max_size=8),
    days=st.integers(0, 400),
    pnl=st.lists(profits, max_size=40),
)
def test_no_series_makes_a_number_that_is_none(
    start: float, pattern: list[float], days: int, pnl: list[float]
) -> None:
    values = [start, *(pattern * days)[:days]]
    equity = equity_of(*values)

    metrics = measure(
        equity,
        [make_trade(value, number) for number, value in enumerate(pnl)],
        buy_and_hold=equity,
        loads=values,
    )

    json.dumps(metrics, allow_nan=False)


def test_trades_without_excursions_have_none_to_state() -> None:
    trades = [replace(make_trade(1, number), mae_fraction=None) for number in range(30)]

    metrics = measure(equity_of(100, 101), trades)

    assert (metrics["worst_mae_percent"], metrics["best_mfe_percent"]) == (None, None)
    assert metrics["expectancy"] == pytest.approx(1)
