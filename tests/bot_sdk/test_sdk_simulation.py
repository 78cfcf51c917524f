# ruff: noqa: ARG002  a bot's signature is fixed, whatever it uses of it

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bot_sdk.examples
from bot_sdk import Action, CustomBot
from bot_sdk.bot_file import load_bot_class
from bot_sdk.configs import RiskConfig
from bot_sdk.indicators import add_indicators
from bot_sdk.parameters import validate
from bot_sdk.simulation import BotFailed, Setup, Step, simulate, summarize
from tests.bot_sdk.samples import candles_of, make_execution, make_risk, make_rules, wavy_candles

EXAMPLES = Path(bot_sdk.examples.__path__[0])


def make_setup(**overrides: Any) -> Setup:
    settings: dict[str, Any] = {
        "exchange": "BINANCE",
        "trading_pair": "BTC/USDT",
        "timeframe": "1h",
        "capital": Decimal(1000),
        "rules": make_rules(taker_fee_fraction="0.01"),
        "execution": make_execution(),
        "risk": RiskConfig(),
        "config": {},
    }
    return Setup(**(settings | overrides))


def run(bot_class: type[CustomBot], closes: list[float], warm_up: int = 1, **overrides: Any) -> list[Step]:
    return list(simulate(bot_class, candles_of(closes), make_setup(**overrides), warm_up=warm_up))


class BuyLowSellHigh(CustomBot):
    """Buy at 100 or less, sell at 110 or more."""

    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        price = data["close"].iloc[-1]
        return Action("BUY" if price <= 100 else "SELL" if price >= 110 else "HOLD", price)


def test_a_round_trip_is_filled_at_the_closes_with_fees() -> None:
    steps = run(BuyLowSellHigh, [105, 100, 105, 110])

    assert [step.signal.action for step in steps] == ["HOLD", "BUY", "HOLD", "SELL"]
    # Buying 1 at 100 costs a fee of 1, selling it at 110 one of 1.10.
    assert steps[1].holding.quote_balance == 899
    assert steps[3].holding.realized_pnl == Decimal("7.9")


def test_a_summary_counts_what_happened() -> None:
    summary = summarize(run(BuyLowSellHigh, [110, 100, 105, 110]), Decimal(1000))

    assert (summary.candles, summary.buys, summary.sells) == (4, 1, 1)
    assert dict(summary.skips) == {"no_position": 1}
    assert (summary.fees, summary.equity) == (Decimal("2.1"), Decimal("1007.9"))
    assert summary.return_percent == Decimal("0.79")


def test_a_run_without_steps_is_idle() -> None:
    summary = summarize([], Decimal(1000))

    assert (summary.candles, summary.equity, summary.return_percent) == (0, Decimal(1000), Decimal(0))


def test_a_stop_loss_sells_whatever_the_bot_says() -> None:
    steps = run(BuyLowSellHigh, [100, 90], risk=make_risk(stop_loss_percent=5))

    assert (steps[1].signal.source, steps[1].holding.base_amount) == ("stop_loss", Decimal(0))


def test_a_bot_sees_no_later_candle() -> None:
    class Recorder(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("HOLD", data["close"].iloc[-1], f"{len(data)} of {data['close'].max():.0f}")

    steps = run(Recorder, [1, 2, 3, 4], warm_up=3)

    assert [step.action.reason for step in steps] == ["3 of 3", "4 of 4"]


def test_a_bot_keeps_nothing_between_candles() -> None:
    class Hoarder(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            self.config["calls"].append(timeframe)
            data["mine"] = 1.0
            subscription_config["strategy_config"]["calls"].append(timeframe)
            return Action("HOLD", len(self.config["calls"]), ",".join(data.columns))

    frame = candles_of([1, 2])
    setup = make_setup(config={"calls": []})

    steps = list(simulate(Hoarder, frame, setup, warm_up=1))

    assert [step.action.value for step in steps] == [1.0, 1.0]
    assert (list(frame.columns), setup.config) == (["open", "high", "low", "close", "volume"], {"calls": []})


def test_a_bot_may_ask_for_its_account_while_it_is_made_and_while_it_decides() -> None:
    class Curious(CustomBot):
        def __init__(self, config: Any, api_keys: Any) -> None:
            super().__init__(config, api_keys)
            self.price_at_start = self.get_current_price()

        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("BUY", self.price_at_start, f"{self.get_balance('USDT')} {self.get_balance('BTC')}")

    steps = run(Curious, [100, 50])

    assert [step.action.value for step in steps] == [100.0, 50.0]
    assert [step.action.reason for step in steps] == ["1000.0 0.0", "899.0 1.0"]


def test_a_bot_gets_its_subscriptions_settings() -> None:
    class Reporter(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("HOLD", 1.0, repr(subscription_config))

    (step,) = run(Reporter, [1.0], config={"depth": 3}, risk=make_risk(stop_loss_percent=5))

    assert step.action.reason == repr(
        {
            "exchange_type": "BINANCE",
            "trading_pair": "BTC/USDT",
            "timeframe": "1h",
            "strategy_config": {"depth": 3},
            "execution_config": make_execution().to_dict(),
            "risk_config": {"stop_loss_percent": 5.0},
        }
    )


def test_a_bot_that_raises_names_the_candle_and_the_line() -> None:
    class Divider(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("HOLD", 1 / (len(data) - 2))

    with pytest.raises(
        BotFailed, match=r"2026-01-01 01:00:00\+00:00: ZeroDivisionError: .*simulation\.py, line"
    ):
        run(Divider, [1, 2, 3], warm_up=2)


def test_a_bot_that_returns_nothing_is_told_what_to_return() -> None:
    class Silent(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Any:
            return None

    with pytest.raises(BotFailed, match="returned NoneType .* expected an Action on every path"):
        run(Silent, [1.0])


def test_a_warm_up_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 or more, not 0"):
        run(BuyLowSellHigh, [1.0], warm_up=0)


def test_the_guides_rsi_bot_buys_low_holds_between_and_sells_high() -> None:
    rsi_bot = load_bot_class(EXAMPLES / "rsi_bot.py")
    candles = candles_of([1.0, 1.0, 1.0])
    frame = candles.assign(rsi=[29.994, 50.0, 70.01])

    steps = list(simulate(rsi_bot, frame, make_setup(rules=make_rules(minimum_cost="0")), warm_up=1))

    assert [(step.action.action, step.action.reason) for step in steps] == [
        ("BUY", "RSI oversold: 29.99"),
        ("HOLD", "RSI neutral: 50.00"),
        ("SELL", "RSI overbought: 70.01"),
    ]
    assert all(type(step.action.value) is float for step in steps)


def test_the_guides_rsi_bot_takes_the_traders_limits() -> None:
    rsi_bot = load_bot_class(EXAMPLES / "rsi_bot.py")
    frame = candles_of([1.0]).assign(rsi=[25.0])

    (step,) = simulate(rsi_bot, frame, make_setup(config={"rsi_oversold": 20}), warm_up=1)

    assert step.action.action == "HOLD"
    assert rsi_bot({}, {}).bot_name == "RSI Trading Bot"


def test_the_moving_average_cross_holds_while_the_trend_is_up() -> None:
    bot = load_bot_class(EXAMPLES / "moving_average_cross.py")
    config = validate(bot.parameters, {"fast_length": 2, "slow_length": 5})
    closes = [10.0, 9, 8, 7, 6, 5, 9, 12, 13, 12, 8, 5, 4]

    steps = run(bot, closes, config=config)

    # Fast and slow meet at 7.0 on the 9, stand at 10.5 and 7.8 on the 12, at 10.0 and 10.8 on the later 8.
    traded = {step.opened_at.hour: step.action.action for step in steps if step.action.action != "HOLD"}
    assert traded == {7: "BUY", 10: "SELL"}


def test_the_bollinger_reversion_buys_low_in_calm_and_sells_high() -> None:
    bot = load_bot_class(EXAMPLES / "bollinger_reversion.py")
    frame = candles_of([10.0] * 5).assign(
        bb_percent=[29.9, 29.9, 50.0, 70.1, np.nan], adx=[59.0, 61.0, 10.0, 90.0, 10.0]
    )

    steps = list(simulate(bot, frame, make_setup(config=validate(bot.parameters, {})), warm_up=1))

    assert [step.action.action for step in steps] == ["BUY", "HOLD", "HOLD", "SELL", "HOLD"]


@pytest.mark.parametrize("name", ["rsi_bot", "moving_average_cross", "bollinger_reversion"])
def test_an_example_trades_both_ways_on_a_moving_market(name: str) -> None:
    bot = load_bot_class(EXAMPLES / f"{name}.py")
    frame: pd.DataFrame = add_indicators(wavy_candles(300))

    steps = list(simulate(bot, frame, make_setup(config=validate(bot.parameters, {})), warm_up=50))

    actions = {step.signal.action for step in steps}
    assert actions == {"BUY", "SELL", "HOLD"}
