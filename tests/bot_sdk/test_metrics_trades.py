import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot_sdk.excursions import with_excursions
from bot_sdk.ledger import FeeIn, Holding, apply_fill
from bot_sdk.trade_metrics import line_values, trade_values
from bot_sdk.trades import Fill, Trade, trades_of
from tests.bot_sdk.samples import make_rules

START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(side: str, amount: str, price: str, hour: int, fee: str = "0", **more: str | FeeIn) -> Fill:
    at = START + timedelta(hours=hour)
    return Fill(side, Decimal(amount), Decimal(price), Decimal(fee), at, **more)  # type: ignore[arg-type]


def trades_with(pnl: Sequence[float]) -> list[Trade]:
    """Return trades that began together at 100 and lasted one day, two days and so on."""
    return [
        Trade(
            opened_at=START,
            closed_at=START + timedelta(days=1 + number),
            entry_price=Decimal(100),
            exit_price=Decimal(100),
            amount=Decimal(100),
            fees=Decimal(1),
            pnl=Decimal(repr(profit)),
            return_fraction=profit / 10_000,
        )
        for number, profit in enumerate(pnl)
    ]


def test_a_round_trip_is_a_trade() -> None:
    fills = [
        fill("BUY", "2", "100", 1, fee="0.2", reason="dip", source="bot"),
        fill("SELL", "2", "90", 5, fee="0.18", reason="fell 10 %", source="stop_loss"),
    ]

    (trade,) = trades_of(fills)

    assert (trade.opened_at, trade.closed_at, trade.held_for) == (
        fills[0].at,
        fills[1].at,
        timedelta(hours=4),
    )
    assert (trade.entry_price, trade.exit_price, trade.amount) == (100, 90, 2)
    assert (trade.fees, trade.pnl) == (Decimal("0.38"), Decimal("-20.38"))
    assert trade.return_fraction == pytest.approx(-0.1019)
    assert (trade.entry_reason, trade.exit_reason, trade.exit_source) == ("dip", "fell 10 %", "stop_loss")


def test_further_buys_and_partial_sales_are_averaged() -> None:
    fills = [
        fill("BUY", "1", "100", 1),
        fill("BUY", "3", "120", 2),
        fill("SELL", "1", "130", 3),
        fill("SELL", "3", "150", 4),
    ]

    (trade,) = trades_of(fills)

    assert (trade.entry_price, trade.exit_price, trade.amount, trade.pnl) == (115, 145, 4, 120)
    assert trade.return_fraction == pytest.approx(120 / 460)


def test_an_open_position_is_no_trade() -> None:
    assert list(trades_of([])) == []
    assert list(trades_of([fill("BUY", "2", "100", 1), fill("SELL", "1", "110", 2)])) == []


def test_a_rest_too_small_to_sell_counts_as_flat_when_the_rules_are_told() -> None:
    fills = [
        fill("BUY", "1.0004", "100", 1),
        fill("SELL", "1", "110", 2),
        fill("BUY", "1", "100", 3),
        fill("SELL", "1.0004", "100", 4),
    ]

    by_rules = list(trades_of(fills, rules=make_rules()))
    strictly = list(trades_of(fills))

    assert [trade.pnl for trade in by_rules] == [10, 0]
    assert [trade.pnl for trade in strictly] == [10]


def test_a_fee_in_base_is_counted_at_its_price() -> None:
    fills = [fill("BUY", "1", "100", 1, fee="0.01", fee_in=FeeIn.BASE), fill("SELL", "0.99", "100", 2)]

    (trade,) = trades_of(fills)

    assert (trade.fees, trade.pnl) == (1, -1)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(50, 150), st.integers(0, 3)), min_size=1, max_size=12)
)
def test_profits_add_up_to_the_ledgers(legs: list[tuple[int, int, int]]) -> None:
    fills: list[Fill] = []
    held = 0
    for hour, (wanted, price, fee) in enumerate(legs):
        side = "SELL" if held and price > 100 else "BUY"
        amount = min(wanted, held) if side == "SELL" else wanted
        held += amount if side == "BUY" else -amount
        fills.append(fill(side, str(amount), str(price), hour, fee=str(fee)))
    if held:
        fills.append(fill("SELL", str(held), "100", len(legs)))

    holding = Holding.start(Decimal(1_000_000))
    for each in fills:
        holding = apply_fill(holding, each.side, each.amount, each.price, each.fee)

    trades = list(trades_of(fills))
    assert sum(trade.pnl for trade in trades) == holding.realized_pnl
    assert sum(trade.fees for trade in trades) == holding.fees_paid


def test_excursions_are_the_worst_and_best_price_while_the_trade_was_open() -> None:
    fills = [fill("BUY", "1", "100", 1), fill("SELL", "1", "104", 3), fill("BUY", "1", "100", 4)]
    fills.append(fill("SELL", "1", "90", 4))
    opened_at = [START + timedelta(hours=hour) for hour in range(5)]

    first, without_candle = with_excursions(
        list(trades_of(fills)), opened_at, lows=[1, 97, 99, 1, 1], highs=[900, 102, 108, 900, 900]
    )

    assert (first.mae_fraction, first.mfe_fraction) == (pytest.approx(-0.03), pytest.approx(0.08))
    assert (without_candle.mae_fraction, without_candle.mfe_fraction) == (pytest.approx(-0.1), 0)


def test_metrics_of_five_trades_by_hand() -> None:
    values = trade_values(trades_with([10, -5, 20, -5, 0]))

    expected = {
        "win_rate_percent": 40,
        "profit_factor": 3,
        "payoff": 3,
        "expectancy": 4,
        "expectancy_ratio": 0.6,
        "system_quality": math.sqrt(5) * 4 / math.sqrt(470 / 4),
        "kelly_percent": 20,
        "average_holding_days": 3,
        "longest_holding_days": 5,
        "winner_holding_days": 2,
        "loser_holding_days": 3,
        "fees": 5,
        "volume": 5 * 100 * 200,
    }
    assert {key: values[key] for key in expected} == pytest.approx(expected)


def test_without_a_loser_there_is_no_ratio_to_losses() -> None:
    values = trade_values(trades_with([3, 3, 3]))

    ratios = ("profit_factor", "payoff", "expectancy_ratio", "kelly_percent", "system_quality")
    assert [values[key] for key in ratios] == [None] * 5
    assert (values["win_rate_percent"], values["losing_streak"]) == (100, 0)


def test_without_a_winner_there_is_no_bet_to_make() -> None:
    values = trade_values(trades_with([-3, -1]))

    assert (values["profit_factor"], values["payoff"], values["kelly_percent"]) == (0, None, None)
    assert values["winner_holding_days"] is None


def test_streaks_are_of_winners_or_losers_and_a_draw_ends_one() -> None:
    values = trade_values(trades_with([1, 2, -1, -1, -5, 0, -9, 8]))

    assert (values["winning_streak"], values["winning_streak_profit"]) == (2, 3)
    assert (values["losing_streak"], values["losing_streak_profit"]) == (3, -7)
    assert (values["largest_streak_profit"], values["largest_streak_loss"]) == (8, -9)


def test_the_balance_line_by_hand() -> None:
    values = line_values(trades_with([10, 10, -5, -5]), 100)  # 100, 110, 120, 115, 110

    steps = [0.1, 1 / 11, -5 / 120, -5 / 115]
    assert values["line_correlation"] == pytest.approx(25 / math.sqrt(10 * 220))
    assert values["line_error"] == pytest.approx(math.sqrt((220 - 25**2 / 10) / 3))
    assert values["runs_z_score"] == pytest.approx((4 * 1.5 - 8) / math.sqrt(8 * 4 / 3))
    assert values["arithmetic_holding_return_percent"] == pytest.approx(sum(steps) / 4 * 100)
    assert values["geometric_holding_return_percent"] == pytest.approx((1.1**0.25 - 1) * 100)


def test_a_balance_that_was_lost_has_no_growth() -> None:
    values = line_values(trades_with([-100, 50]), 100)

    assert values["arithmetic_holding_return_percent"] is None
    assert values["geometric_holding_return_percent"] is None
