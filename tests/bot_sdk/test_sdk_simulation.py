# ruff: noqa: ARG002  a bot's signature is fixed, whatever it uses of it

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_a_trailing_stop_follows_the_closes_up() -> None:
    steps = run(BuyLowSellHigh, [100, 105, 109, 99, 98.1], risk=make_risk(trailing_stop_percent=10))

    # 10 % below 109 is 98.1; the bot, which buys at 99, spends a tenth more there.
    assert [step.signal.source for step in steps] == ["bot", "bot", "bot", "bot", "trailing_stop"]
    assert steps[4].holding.base_amount == 0


def test_a_drawdown_sells_all_and_ends_the_run_as_far_as_buying_goes() -> None:
    everything = make_execution(buy_order_type="ALL", buy_order_value=None)

    steps = run(BuyLowSellHigh, [100, 80, 100], execution=everything, risk=make_risk(max_drawdown_percent=20))

    assert (steps[1].signal.source, steps[1].holding.base_amount) == ("max_drawdown", 0)
    assert steps[2].signal.skip == "drawdown_halt"


def test_a_loss_is_followed_by_a_cool_down() -> None:
    risk = make_risk(stop_loss_percent=5, cool_down_minutes=120)

    steps = run(BuyLowSellHigh, [100, 90, 90, 90], risk=risk)

    assert [step.signal.source for step in steps[:2]] == ["bot", "stop_loss"]
    assert [step.signal.skip for step in steps[2:]] == ["cool_down", None]


def test_a_days_orders_run_out_until_midnight_in_utc() -> None:
    steps = run(BuyLowSellHigh, [100] * 24, risk=make_risk(max_orders_per_day=2))

    # The candle of 23 h closes at midnight.
    bought = {step.opened_at.hour for step in steps if step.executions}
    assert bought == {0, 1, 23}


def prices_of(*candles: tuple[float, float, float]) -> pd.DataFrame:
    """Return hourly candles of low, high and close."""
    low, high, close = zip(*candles, strict=True)
    return candles_of(list(close)).assign(low=low, high=high)


def run_limited(
    frame: pd.DataFrame, bot_class: type[CustomBot] = BuyLowSellHigh, **overrides: Any
) -> list[Step]:
    limits = {
        "limit_offset_percent": 1,
        "limit_timeout_seconds": 7200,
        **overrides.pop("limits", {}),
    }
    execution = make_execution(order_type="LIMIT", **limits)
    return list(simulate(bot_class, frame, make_setup(execution=execution, **overrides), warm_up=1))


def test_a_limit_buy_waits_until_a_candle_trades_through_it() -> None:
    steps = run_limited(prices_of((100, 100, 100), (99, 105, 105), (98.99, 105, 105)))

    assert [len(step.executions) for step in steps] == [0, 0, 1]
    (fill,) = steps[2].executions
    assert (fill.side, fill.price, fill.amount) == ("BUY", 99, Decimal("1.010"))
    assert steps[2].holding.base_amount == Decimal("1.010")


def test_a_limit_sale_waits_until_a_candle_trades_through_it() -> None:
    steps = run_limited(prices_of((100, 100, 100), (98, 110, 110), (105, 111.1, 105), (105, 111.11, 105)))

    assert [[fill.side for fill in step.executions] for step in steps] == [[], ["BUY"], [], ["SELL"]]
    assert steps[3].executions[0].price == Decimal("111.1")


def test_while_an_order_is_open_the_bots_wish_is_passed_over() -> None:
    steps = run_limited(prices_of((100, 100, 100), (100, 110, 110), (105, 105, 105)))

    assert (steps[1].signal.action, steps[1].signal.skip) == ("HOLD", "order_open")
    assert steps[1].signal.reason == (
        "The bot's SELL was passed over, because an earlier order is still open."
    )
    assert steps[2].signal.skip is None


@pytest.mark.parametrize(("seconds", "ended_at"), [(3600, 1), (3601, 2), (7200, 2), (10, 1)])
def test_a_limit_order_is_canceled_at_the_first_close_after_its_time(seconds: int, ended_at: int) -> None:
    frame = prices_of((100, 100, 100), *[(100, 110, 110)] * 3)

    steps = run_limited(frame, limits={"limit_timeout_seconds": seconds})

    skips = [step.signal.skip for step in steps]
    assert skips[1:ended_at] == ["order_open"] * (ended_at - 1)
    assert skips[ended_at] == "no_position"
    assert not any(step.executions for step in steps)


def test_a_limit_order_may_become_a_market_order_when_its_time_is_over() -> None:
    frame = prices_of((100, 100, 100), (104, 105, 105))

    steps = run_limited(frame, limits={"limit_timeout_seconds": 60, "limit_timeout_action": "MARKET"})

    (fill,) = steps[1].executions
    assert (fill.side, fill.price, fill.amount) == ("BUY", 105, Decimal("0.952"))  # 100 of 1000 at 105


def test_a_market_order_after_a_limit_order_keeps_to_the_limits() -> None:
    frame = prices_of((100, 100, 100), (104, 105, 105))
    limits = {"limit_timeout_seconds": 60, "limit_timeout_action": "MARKET"}

    steps = run_limited(frame, limits=limits, risk=make_risk(max_orders_per_day=1))

    assert steps[1].executions == ()


def test_a_protective_exit_cancels_the_open_order_first() -> None:
    frame = prices_of((100, 100, 100), (98, 110, 110), (90, 90, 90), (90, 120, 105), (90, 120, 105))

    steps = run_limited(frame, risk=make_risk(stop_loss_percent=5))

    # The sale at 111.10 that opens on the second candle is gone when the third is sold at its close.
    assert steps[1].signal.limit_price == Decimal("111.1")
    assert (steps[2].signal.source, steps[2].executions[0].price) == ("stop_loss", 90)
    assert (steps[3].executions, steps[4].executions) == ((), ())


def test_a_limit_buy_that_fills_in_a_crash_is_protected_at_the_same_close() -> None:
    steps = run_limited(prices_of((100, 100, 100), (80, 100, 80)), risk=make_risk(stop_loss_percent=5))

    assert [(fill.side, fill.price) for fill in steps[1].executions] == [("BUY", 99), ("SELL", 80)]
    assert steps[1].holding.base_amount == 0


def test_a_summary_counts_limit_orders_when_they_are_filled() -> None:
    unfilled = summarize(run_limited(prices_of((100, 100, 100), (100, 105, 105))), Decimal(1000))
    filled = summarize(run_limited(prices_of((100, 100, 100), (98, 105, 105))), Decimal(1000))

    assert (unfilled.buys, filled.buys) == (0, 1)


class Zigzag(CustomBot):
    """Buy on even cents, sell on odd ones."""

    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        price = data["close"].iloc[-1]
        return Action("BUY" if round(price * 100) % 2 == 0 else "SELL", price)


closes = st.lists(st.integers(5000, 15_000).map(lambda cents: cents / 100), min_size=2, max_size=25)


@settings(deadline=None, max_examples=50)
@given(closes=closes, timeout_action=st.sampled_from(["CANCEL", "MARKET"]), seconds=st.integers(10, 20_000))
def test_whatever_the_market_does_every_digit_is_accounted_for_and_a_halt_ends_buying(
    closes: list[float], timeout_action: str, seconds: int
) -> None:
    limits = {"limit_timeout_seconds": seconds, "limit_timeout_action": timeout_action, "buy_order_value": 50}
    risk = make_risk(trailing_stop_percent=20, max_drawdown_percent=5)

    steps = run_limited(candles_of(closes), Zigzag, limits=limits, risk=risk)

    held = [step.holding for step in steps]
    assert all(each.quote_balance >= 0 and each.base_amount >= 0 for each in held)
    assert all(each.quote_balance + each.cost_basis == 1000 + each.realized_pnl for each in held)
    halted = next(
        (number for number, step in enumerate(steps) if step.signal.source == "max_drawdown"), len(steps)
    )
    assert not any(fill.side == "BUY" for step in steps[halted + 1 :] for fill in step.executions)


@settings(deadline=None, max_examples=50)
@given(closes=closes, timeout_action=st.sampled_from(["CANCEL", "MARKET"]), data=st.data())
def test_later_candles_change_nothing_that_came_before(
    closes: list[float], timeout_action: str, data: st.DataObject
) -> None:
    limits = {"limit_timeout_seconds": 4000, "limit_timeout_action": timeout_action}
    risk = make_risk(trailing_stop_percent=20, max_daily_loss_percent=2, cool_down_minutes=90)
    known = data.draw(st.integers(1, len(closes)))

    whole = run_limited(candles_of(closes), Zigzag, limits=limits, risk=risk)
    part = run_limited(candles_of(closes[:known]), Zigzag, limits=limits, risk=risk)

    assert whole[:known] == part


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
