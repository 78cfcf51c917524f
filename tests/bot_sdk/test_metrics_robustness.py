import math
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from bot_sdk.equity import DailyEquity
from bot_sdk.execution_statistics import Quantiles, execution_statistics, slippage_percent
from bot_sdk.robustness import deflated_sharpe_percent, monte_carlo, probabilistic_sharpe


def equity_with(returns: np.ndarray) -> DailyEquity:
    return DailyEquity(date(2026, 1, 1), 1000 * np.cumprod(np.append(1.0, 1 + returns)))


def random_returns(days: int, mean: float = 0.001) -> np.ndarray:
    return np.random.default_rng(5).normal(mean, 0.02, days)


def test_the_same_seed_gives_the_same_paths() -> None:
    equity = equity_with(random_returns(300))

    assert monte_carlo(equity, seed=1) == monte_carlo(equity, seed=1) != monte_carlo(equity, seed=2)


def test_paths_start_together_and_lie_in_order() -> None:
    equity = equity_with(random_returns(1000))

    result = monte_carlo(equity, seed=1)

    assert result is not None
    assert (result.block_days, result.paths, len(result.days)) == (10, 1000, 201)
    assert (result.days[0], result.days[-1]) == (0, 1000)
    assert result.original_path[-1] == result.final_equity.original == equity.values[-1]
    assert result.p5_path[0] == result.p50_path[0] == result.p95_path[0] == 1000
    assert (result.p5_path[-1], result.p95_path[-1]) == (result.final_equity.p5, result.final_equity.p95)
    assert (np.diff([result.p5_path, result.p50_path, result.p95_path], axis=0) >= 0).all()
    drawdown = result.max_drawdown_percent
    assert 0 < drawdown.p5 < drawdown.p50 < drawdown.p95


@pytest.mark.parametrize("change, probability", [(0.01, 0), (-0.01, 100), (0.0, 0)])
def test_returns_that_never_vary_leave_nothing_to_chance(change: float, probability: float) -> None:
    result = monte_carlo(equity_with(np.full(64, change)), seed=1, paths=50)

    assert result is not None
    assert result.loss_probability_percent == probability
    assert result.final_equity.p5 == pytest.approx(result.final_equity.p95)
    assert result.p50_path == pytest.approx(result.original_path)


def test_days_that_follow_each_other_stay_together() -> None:
    # Blocks of 4 of 64 days keep at least two of four losing days in a row; single days seldom do.
    returns = np.tile([-0.1] * 4 + [0.1] * 12, 4)

    result = monte_carlo(equity_with(returns), seed=1, paths=200)

    assert result is not None
    assert result.block_days == 4
    assert result.max_drawdown_percent.p5 > (1 - 0.9**2) * 100


def test_a_short_record_is_not_resampled() -> None:
    assert monte_carlo(equity_with(random_returns(59)), seed=1) is None
    assert deflated_sharpe_percent(equity_with(random_returns(59)), versions=1) is None
    assert monte_carlo(equity_with(random_returns(60)), seed=1) is not None


def test_the_probability_of_a_sharpe_ratio_by_hand() -> None:
    returns = np.array([0.02, -0.01] * 30)  # two values alike: skewness 0, kurtosis 1

    sharpe = 0.005 / (0.015 * math.sqrt(60 / 59))
    expected = 0.5 * (1 + math.erf(sharpe * math.sqrt(59) / math.sqrt(2)))
    assert probabilistic_sharpe(returns) == pytest.approx(expected)
    assert probabilistic_sharpe(returns, above=sharpe) == pytest.approx(0.5)
    assert probabilistic_sharpe(np.full(60, 0.01)) is None


def test_each_further_version_explains_more_of_the_sharpe_ratio() -> None:
    equity = equity_with(random_returns(400))

    one, two, ten = (deflated_sharpe_percent(equity, versions=count) for count in (1, 2, 10))

    assert one == pytest.approx(100 * (probabilistic_sharpe(equity.returns) or 0))
    # The largest of ten standard normal draws is expected near 1.54; the formula's approximation is 1.5746.
    assert ten == pytest.approx(
        100 * (probabilistic_sharpe(equity.returns, above=1.5746 / math.sqrt(399)) or 0), rel=1e-4
    )
    assert one and two and ten and one > two > ten
    with pytest.raises(ValueError, match="At least one version"):
        deflated_sharpe_percent(equity, versions=0)


def test_slippage_is_above_zero_where_the_price_was_worse() -> None:
    prices = {"decided_price": Decimal(200), "fill_price": Decimal(201)}

    assert slippage_percent("BUY", **prices) == pytest.approx(0.5)
    assert slippage_percent("SELL", **prices) == pytest.approx(-0.5)


def test_execution_statistics_by_hand() -> None:
    statistics = execution_statistics(
        latencies=[float(second) for second in range(1, 22)],
        slippages=[0.1, 0.3, 0.2, 0.0, -0.1],
        fees=[Decimal("0.1"), Decimal("0.2")],
        skips=["cool_down", "order_open", "cool_down"],
        verdicts=["OK", "OK", "TIMED_OUT"],
    )

    assert statistics.latency_seconds == Quantiles(21, 11.0, 20.0)
    assert statistics.slippage_percent == Quantiles(5, 0.1, None)
    assert statistics.fees == Decimal("0.3")
    assert statistics.skips == {"cool_down": 2, "order_open": 1}
    assert statistics.verdicts == {"OK": 2, "TIMED_OUT": 1}


def test_nothing_carried_out_states_no_quantile() -> None:
    statistics = execution_statistics(latencies=[], slippages=[1.0] * 4, fees=[], skips=[], verdicts=[])

    assert statistics.latency_seconds == Quantiles(0, None, None)
    assert statistics.slippage_percent == Quantiles(4, None, None)
    assert (statistics.fees, statistics.skips, statistics.verdicts) == (0, {}, {})
