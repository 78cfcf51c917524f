"""What a trader is told that they can lose, by hand and beside what the trading rules then do."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bot_sdk.action import BUY, SELL, Action
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.ledger import Holding, apply_fill
from bot_sdk.market_rules import MarketRules
from bot_sdk.money import cost_of, fee_on
from bot_sdk.possible_loss import PossibleLoss, possible_loss
from bot_sdk.risk import decide, protective_exit
from bot_sdk.risk_state import RiskState

CAPITAL = Decimal(10_000)
FEE = Decimal("0.001")
RULES = MarketRules(
    price_tick=Decimal("0.01"),
    amount_step=Decimal("0.00001"),
    minimum_amount=Decimal("0.00001"),
    minimum_cost=Decimal(5),
    taker_fee_fraction=FEE,
)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def loss(**limits: Any) -> PossibleLoss:
    return possible_loss(capital=CAPITAL, risk=RiskConfig.parse(limits), rules=RULES)


def test_a_stop_loss_bounds_one_position_with_both_fees() -> None:
    found = loss(stop_loss_percent=5, max_position_size=20)

    # 2,000 bought for 2,002; 5 % of that is 100.10; it is sold for 1,901.90, which costs 1.9019
    assert (found.position, found.stop) == (Decimal(2002), "stop_loss")
    assert found.on_position == Decimal("102.0019")
    assert (found.day_limit, found.in_day, found.halt_equity) == (None, None, None)


def test_without_a_stop_the_whole_position_can_be_lost() -> None:
    found = loss(take_profit_percent=10, max_position_size=20)

    assert (found.stop, found.on_position) == (None, Decimal(2002))


def test_without_any_limit_the_position_is_all_of_the_capital() -> None:
    found = loss()

    assert round(found.position, 12) == round(found.on_position, 12) == CAPITAL
    assert found.in_day is None


@pytest.mark.parametrize(
    ("limits", "stop"),
    [
        ({"stop_loss_percent": 5, "trailing_stop_percent": 3}, "trailing_stop"),
        ({"stop_loss_percent": 5, "trailing_stop_percent": 5}, "stop_loss"),  # the fee makes it nearer
        ({"stop_loss_percent": 5, "max_drawdown_percent": 25}, "stop_loss"),
        ({"stop_loss_percent": 50, "max_drawdown_percent": 25}, "max_drawdown"),
        ({"max_drawdown_percent": 25, "max_position_size": 20}, None),  # 2,500 is more than the position
    ],
)
def test_the_nearest_rule_is_the_one_that_sells(limits: dict[str, int], stop: str | None) -> None:
    assert loss(**limits).stop == stop


def test_a_days_loss_is_its_limit_and_what_is_still_held_then() -> None:
    found = loss(stop_loss_percent=5, max_position_size=20, max_daily_loss_percent=3)

    assert (found.day_limit, found.in_day) == (Decimal(300), Decimal("402.0019"))


def test_a_halt_bounds_the_day_too() -> None:
    found = loss(max_drawdown_percent=3, max_daily_loss_percent=3)

    assert (found.halt_equity, found.in_day) == (Decimal(9700), Decimal("309.7"))  # with the fee of the sale


@pytest.mark.parametrize(
    "limits",
    [
        {"stop_loss_percent": 5.0, "max_position_size": 20.0},
        {"trailing_stop_percent": 7.5, "max_position_size": 60.0},
        {"max_drawdown_percent": 12.0},
        {"stop_loss_percent": 30.0, "max_drawdown_percent": 4.0, "max_position_size": 50.0},
    ],
)
def test_what_is_said_is_what_the_trading_rules_lose(limits: dict[str, float]) -> None:
    risk, price = RiskConfig.parse(limits), Decimal(60_000)
    buying = ExecutionConfig.parse({"buy_order_type": "ALL", "sell_order_type": "ALL"})
    holding, state = Holding.start(CAPITAL), RiskState.start(CAPITAL)
    state = state.seen(at=NOON, bid=price, holding=holding, risk=risk)
    buy = decide(
        action=Action(BUY, 60_000.0, ""),
        holding=holding,
        bid=price,
        ask=price,
        rules=RULES,
        execution=buying,
        risk=risk,
        allocated_capital=CAPITAL,
        state=state,
        at=NOON,
    )
    holding = apply_fill(holding, BUY, buy.amount, price, fee_on(cost_of(buy.amount, price), FEE))
    state = state.seen(at=NOON, bid=price, holding=holding, risk=risk)

    exit_signal = None
    while exit_signal is None:
        price -= 1
        state = state.seen(at=NOON, bid=price, holding=holding, risk=risk)
        exit_signal = protective_exit(holding=holding, bid=price, rules=RULES, risk=risk, state=state)
    proceeds = cost_of(exit_signal.amount, price)
    holding = apply_fill(holding, SELL, exit_signal.amount, price, fee_on(proceeds, FEE))

    said = possible_loss(capital=CAPITAL, risk=risk, rules=RULES)
    assert exit_signal.source == said.stop
    assert abs(-holding.realized_pnl - said.on_position) < 1  # a price step and an amount step
