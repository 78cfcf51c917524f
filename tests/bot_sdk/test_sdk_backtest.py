# ruff: noqa: ARG002  a bot's signature is fixed, whatever it uses of it

from collections.abc import Iterable, Sequence
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
from bot_sdk.backtest import Backtest, Setup, Step, simulate, summarize
from bot_sdk.backtest import run as run_through
from bot_sdk.bot_file import load_bot_class
from bot_sdk.bot_loop import BotFailed
from bot_sdk.configs import RiskConfig
from bot_sdk.desk import FillAt, Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.parameters import validate
from tests.bot_sdk.samples import candles_of, make_execution, make_risk, make_rules, wavy_candles

EXAMPLES = Path(bot_sdk.examples.__path__[0])


def make_backtest(frame: pd.DataFrame, *, warm_up: int = 1, **overrides: Any) -> Backtest:
    """Return a backtest of hourly candles, with orders filled at the closes that the bot sees."""
    terms: dict[str, Any] = {
        "capital": Decimal(1000),
        "rules": make_rules(taker_fee_fraction="0.01"),
        "execution": make_execution(),
        "risk": RiskConfig(),
        "fill_at": FillAt.CLOSE,
    }
    config = overrides.pop("config", {})
    setup = Setup("BINANCE", "BTC/USDT", "1h", Terms(**(terms | overrides)), config)
    return Backtest(History(frame, "1h", first=warm_up - 1), setup)


def run(bot_class: type[CustomBot], closes: Sequence[float], **overrides: Any) -> list[Step]:
    return list(simulate(bot_class, make_backtest(candles_of(closes), **overrides)))


def skips_of(steps: Iterable[Step]) -> list[str | None]:
    """Return for each step why its newest wish became no order; None without a wish."""
    return [step.decisions[-1].signal.skip if step.decisions else None for step in steps]


def sides_of(steps: Iterable[Step]) -> list[list[str]]:
    return [[fill.side for fill in step.fills] for step in steps]


class BuyLowSellHigh(CustomBot):
    """Buy at 100 or less, sell at 110 or more."""

    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        price = data["close"].iloc[-1]
        return Action("BUY" if price <= 100 else "SELL" if price >= 110 else "HOLD", price)


def test_a_round_trip_is_filled_at_the_closes_with_fees() -> None:
    steps = run(BuyLowSellHigh, [105, 100, 105, 110])

    assert sides_of(steps) == [[], ["BUY"], [], ["SELL"]]
    # Buying 1 at 100 costs a fee of 1, selling it at 110 one of 1.10.
    assert steps[1].holding.quote_balance == 899
    assert steps[3].holding.realized_pnl == Decimal("7.9")


def test_with_fills_at_the_next_open_a_wish_is_decided_in_the_next_step() -> None:
    frame = candles_of([100, 105, 110]).assign(open=[100.0, 102, 104])

    backtest = make_backtest(frame, fill_at=FillAt.NEXT_OPEN)
    steps = list(simulate(BuyLowSellHigh, backtest))

    assert sides_of(steps) == [[], ["BUY"], []]
    assert [fill.price for fill in steps[1].fills] == [102]
    assert backtest.desk.is_waiting  # the SELL of the last candle, for an open that is not known


def test_a_summary_counts_what_happened() -> None:
    summary = summarize(run_through(BuyLowSellHigh, make_backtest(candles_of([110, 100, 105, 110]))))

    assert (summary.candles, summary.buys, summary.sells) == (4, 1, 1)
    assert dict(summary.skips) == {"no_position": 1}
    assert (summary.fees, summary.equity) == (Decimal("2.1"), Decimal("1007.9"))
    assert summary.return_percent == Decimal("0.79")


def test_a_summary_before_the_first_answer_is_idle() -> None:
    summary = summarize(make_backtest(candles_of([100, 110])))

    assert (summary.candles, summary.equity, summary.return_percent) == (0, Decimal(1000), Decimal(0))


def test_what_was_held_is_worth_its_price_at_each_close() -> None:
    backtest = run_through(BuyLowSellHigh, make_backtest(candles_of([105, 100, 105, 110])))

    # 1 is bought at 100 with a fee of 1, and sold at 110 with one of 1.10.
    assert backtest.worth().equity.tolist() == [1000, 999, 1004, pytest.approx(1007.9)]
    assert backtest.worth().position.tolist() == [0, 100, 105, 0]


def test_a_stop_loss_sells_whatever_the_bot_says() -> None:
    steps = run(BuyLowSellHigh, [100, 90], risk=make_risk(stop_loss_percent=5))

    assert [(fill.source, fill.price) for fill in steps[1].fills] == [("stop_loss", 90), ("bot", 90)]


def test_stops_act_where_too_many_candles_are_missing_and_the_bot_is_not_asked() -> None:
    frame = candles_of([100] * 40).drop(candles_of([100] * 40).index[2:20])
    frame.loc[frame.index[-1], ["low", "close"]] = 90.0

    backtest = run_through(BuyLowSellHigh, make_backtest(frame, risk=make_risk(stop_loss_percent=5)))

    assert summarize(backtest).skips == {"gapped_candles": 20}
    assert [(fill.side, fill.source) for fill in backtest.desk.fills] == [
        ("BUY", "bot"),
        ("BUY", "bot"),
        ("SELL", "stop_loss"),
    ]
    assert len(backtest.worth().equity) == 22


def test_a_days_orders_run_out_until_midnight_in_utc() -> None:
    steps = run(BuyLowSellHigh, [100] * 24, risk=make_risk(max_orders_per_day=2))

    # The candle of 23 h closes at midnight.
    bought = {step.opened_at.hour for step in steps if step.fills}
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
    return list(simulate(bot_class, make_backtest(frame, execution=execution, **overrides)))


def test_a_limit_buy_waits_until_a_candle_trades_through_it() -> None:
    steps = run_limited(prices_of((100, 100, 100), (99, 105, 105), (98.99, 105, 105)))

    assert sides_of(steps) == [[], [], ["BUY"]]
    (fill,) = steps[2].fills
    assert (fill.price, fill.amount) == (99, Decimal("1.010"))
    assert steps[2].holding.base_amount == Decimal("1.010")


def test_a_limit_sale_waits_until_a_candle_trades_through_it() -> None:
    steps = run_limited(prices_of((100, 100, 100), (98, 110, 110), (105, 111.1, 105), (105, 111.11, 105)))

    assert sides_of(steps) == [[], ["BUY"], [], ["SELL"]]
    assert steps[3].fills[0].price == Decimal("111.1")


def test_while_an_order_is_open_the_bots_wish_is_passed_over() -> None:
    steps = run_limited(prices_of((100, 100, 100), (100, 110, 110), (105, 105, 105)))

    (decision,) = steps[1].decisions
    assert (decision.signal.action, decision.signal.skip) == ("HOLD", "order_open")
    assert decision.signal.reason == "The bot's SELL was passed over, because an earlier order is still open."
    assert skips_of(steps)[2] is None


@pytest.mark.parametrize(("seconds", "ended_at"), [(3600, 1), (3601, 2), (7200, 2), (10, 1)])
def test_a_limit_order_is_canceled_at_the_first_close_after_its_time(seconds: int, ended_at: int) -> None:
    frame = prices_of((100, 100, 100), *[(100, 110, 110)] * 3)

    steps = run_limited(frame, limits={"limit_timeout_seconds": seconds})

    skips = skips_of(steps)
    assert skips[1:ended_at] == ["order_open"] * (ended_at - 1)
    assert skips[ended_at] == "no_position"
    assert not any(step.fills for step in steps)


def test_a_limit_order_may_become_a_market_order_when_its_time_is_over() -> None:
    frame = prices_of((100, 100, 100), (104, 105, 105))

    steps = run_limited(frame, limits={"limit_timeout_seconds": 60, "limit_timeout_action": "MARKET"})

    (fill,) = steps[1].fills
    assert (fill.side, fill.price, fill.amount) == ("BUY", 105, Decimal("0.952"))  # 100 of 1000 at 105


def test_a_market_order_after_a_limit_order_keeps_to_the_limits() -> None:
    frame = prices_of((100, 100, 100), (104, 105, 105))
    limits = {"limit_timeout_seconds": 60, "limit_timeout_action": "MARKET"}

    steps = run_limited(frame, limits=limits, risk=make_risk(max_orders_per_day=1))

    assert steps[1].fills == ()


def test_a_protective_exit_cancels_the_open_order_first() -> None:
    frame = prices_of((100, 100, 100), (98, 110, 110), (90, 90, 90), (90, 120, 105), (90, 120, 105))

    steps = run_limited(frame, risk=make_risk(stop_loss_percent=5))

    # The sale at 111.10 that opens on the second candle is gone when the third opens below the stop.
    assert [(fill.side, fill.source, fill.price) for fill in steps[2].fills] == [("SELL", "stop_loss", 90)]
    assert sides_of(steps[3:]) == [[], []]


def test_a_limit_buy_that_fills_in_a_crash_is_protected_in_the_same_candle() -> None:
    steps = run_limited(prices_of((100, 100, 100), (80, 100, 80)), risk=make_risk(stop_loss_percent=5))

    # 1.010 bought at 99 cost 1.00 more in fees: the entry is 99.99, and 5 % below it 94.99.
    assert [(fill.side, fill.price) for fill in steps[1].fills] == [("BUY", 99), ("SELL", Decimal("94.99"))]
    assert steps[1].holding.base_amount == 0


def test_a_summary_counts_limit_orders_when_they_are_filled() -> None:
    execution = make_execution(order_type="LIMIT", limit_offset_percent=1, limit_timeout_seconds=7200)

    unfilled, filled = (
        summarize(
            run_through(
                BuyLowSellHigh,
                make_backtest(prices_of((100, 100, 100), (low, 105, 105)), execution=execution),
            )
        )
        for low in (100, 98)
    )

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
    fills = [fill for step in steps for fill in step.fills]
    sources = [fill.source for fill in fills]
    halted = sources.index("max_drawdown") if "max_drawdown" in sources else len(fills)
    assert not any(fill.side == "BUY" for fill in fills[halted:])


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
    backtest = make_backtest(frame, config={"calls": []})

    steps = list(simulate(Hoarder, backtest))

    assert [step.action.value for step in steps] == [1.0, 1.0]
    assert (list(frame.columns), backtest.setup.config) == (
        ["open", "high", "low", "close", "volume"],
        {"calls": []},
    )


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
        BotFailed, match=r"2026-01-01 01:00:00\+00:00: ZeroDivisionError: .*backtest\.py, line"
    ):
        run(Divider, [1, 2, 3], warm_up=2)


def test_a_bot_that_returns_nothing_is_told_what_to_return() -> None:
    class Silent(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Any:
            return None

    with pytest.raises(BotFailed, match="returned NoneType, expected an Action on every path"):
        run(Silent, [1.0])


def test_a_warm_up_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="from row 0 on, and the history has 1: use a longer history"):
        run(BuyLowSellHigh, [1.0], warm_up=0)


def test_the_guides_rsi_bot_buys_low_holds_between_and_sells_high() -> None:
    rsi_bot = load_bot_class(EXAMPLES / "rsi_bot.py")
    candles = candles_of([1.0, 1.0, 1.0])
    frame = candles.assign(rsi=[29.994, 50.0, 70.01])

    steps = list(simulate(rsi_bot, make_backtest(frame, rules=make_rules(minimum_cost="0"))))

    assert [(step.action.action, step.action.reason) for step in steps] == [
        ("BUY", "RSI oversold: 29.99"),
        ("HOLD", "RSI neutral: 50.00"),
        ("SELL", "RSI overbought: 70.01"),
    ]
    assert all(type(step.action.value) is float for step in steps)


def test_the_guides_rsi_bot_takes_the_traders_limits() -> None:
    rsi_bot = load_bot_class(EXAMPLES / "rsi_bot.py")
    frame = candles_of([1.0]).assign(rsi=[25.0])

    (step,) = simulate(rsi_bot, make_backtest(frame, config={"rsi_oversold": 20}))

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

    steps = list(simulate(bot, make_backtest(frame, config=validate(bot.parameters, {}))))

    assert [step.action.action for step in steps] == ["BUY", "HOLD", "HOLD", "SELL", "HOLD"]


@pytest.mark.parametrize("name", ["rsi_bot", "moving_average_cross", "bollinger_reversion"])
def test_an_example_trades_both_ways_on_a_moving_market(name: str) -> None:
    bot = load_bot_class(EXAMPLES / f"{name}.py")
    frame = with_indicators(wavy_candles(300), "1h")
    config = validate(bot.parameters, {})

    backtest = run_through(bot, make_backtest(frame, warm_up=50, config=config, fill_at=FillAt.NEXT_OPEN))

    assert {fill.side for fill in backtest.desk.fills} == {"BUY", "SELL"}
    assert set(backtest.answered) == {"BUY", "SELL", "HOLD"}


def test_failures_are_counted_and_the_first_twenty_kept() -> None:
    class Failing(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            if len(data) == 1:
                return Action("BUY", 100.0)
            raise KeyError("rsi_14")

    backtest = run_through(Failing, make_backtest(candles_of([100] * 26)))

    assert (backtest.failed, len(backtest.failures)) == (25, 20)
    assert backtest.failures[0].message.startswith("KeyError: 'rsi_14' (")
    assert summarize(backtest).skips == {"bot_failed": 25}
    assert summarize(backtest).candles == 26


def test_a_position_stays_protected_while_the_bot_fails() -> None:
    class Failing(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("BUY", 100.0 / (len(data) == 1))

    backtest = run_through(Failing, make_backtest(candles_of([100, 90]), risk=make_risk(stop_loss_percent=5)))

    assert [fill.source for fill in backtest.desk.fills] == ["bot", "stop_loss"]
    assert summarize(backtest).skips == {"bot_failed": 1}
