# ruff: noqa: ARG002  a bot's signature is fixed, whatever it uses of it

import json
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from bot_sdk import Action, CustomBot
from bot_sdk.backtest import Backtest, Setup, run
from bot_sdk.backtest_report import report
from bot_sdk.desk import FillAt, Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.metric_table import METRICS
from tests.bot_sdk.samples import candles_of, make_execution, make_risk, make_rules, wavy_candles


class Waves(CustomBot):
    """Buy in the lower half of the bands, sell in the upper one; fail now and then."""

    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        place = data["bb_percent"].iloc[-1]
        if data.index[-1].day == 9 and data.index[-1].hour < 3:
            raise RuntimeError("no idea")
        return Action("BUY" if place < 40 else "SELL" if place > 60 else "HOLD", 1.0)


def make_backtest(frame: pd.DataFrame, first: int = 0, **overrides: Any) -> Backtest:
    terms: dict[str, Any] = {
        "capital": Decimal(1000),
        "rules": make_rules(),
        "execution": make_execution(buy_order_type="ALL", buy_order_value=None),
        "risk": make_risk(stop_loss_percent=8),
        "slippage_percent": Decimal("0.1"),
    }
    setup = Setup("BINANCE", "BTC/USDT", "1h", Terms(**(terms | overrides)), {})
    return Backtest(History(frame, "1h", first=first), setup)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """The report on 300 hours of which the bot decides on 250."""
    return report(run(Waves, make_backtest(with_indicators(wavy_candles(300), "1h"), 50)), versions_tried=3)


def test_a_report_is_strict_json(found: dict[str, Any]) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    assert list(found["metrics"]) == [metric.key for metric in METRICS]


class Wordy(CustomBot):
    """Buy and sell in turn, and say much."""

    def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
        return Action("BUY" if data.index[-1].hour % 2 else "SELL", 1.0, "so " * 100)


def test_a_bot_that_trades_much_and_says_much_makes_no_endless_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot_sdk.backtest_report.MOST_TRADES", 7)

    found = report(run(Wordy, make_backtest(with_indicators(wavy_candles(100), "1h"))))

    assert len(found["trades"]) == 7
    assert {len(trade["entry_reason"]) for trade in found["trades"]} == {100}
    assert found["metrics"]["trades"] == found["summary"]["sells"] > 7


def test_the_profits_of_the_trades_add_up_to_the_equity(found: dict[str, Any]) -> None:
    assert len(found["trades"]) > 5
    assert not found["summary"]["is_position_open"]

    profit = sum(trade["pnl"] for trade in found["trades"])

    assert found["summary"]["equity"] == pytest.approx(1000 + profit)
    assert found["metrics"]["net_profit"] == pytest.approx(profit)
    assert found["summary"]["fees"] == pytest.approx(sum(trade["fees"] for trade in found["trades"]))
    assert found["execution"]["fees"] == pytest.approx(found["summary"]["fees"])


def test_the_days_begin_with_the_capital_and_end_with_the_equity(found: dict[str, Any]) -> None:
    daily = found["daily"]

    # Row 50 opens at 2:00 on January 3rd, row 299 closes at noon of the 13th.
    assert daily["start_on"] == "2026-01-02"
    assert len(daily["equity"]) == len(daily["buy_and_hold"]) == len(daily["drawdown_percent"]) == 12
    assert daily["equity"][0] == 1000
    assert daily["equity"][-1] == pytest.approx(found["summary"]["equity"])
    assert min(daily["drawdown_percent"]) == pytest.approx(-found["metrics"]["max_drawdown_percent"])
    assert found["drawdowns"][0]["depth_percent"] == pytest.approx(found["metrics"]["max_drawdown_percent"])


def test_buying_and_holding_follows_the_price(found: dict[str, Any]) -> None:
    candles = wavy_candles(300)

    change = candles["close"].iloc[-1] / candles["open"].iloc[50]

    assert found["daily"]["buy_and_hold"][-1] == pytest.approx(1000 * change)
    assert found["metrics"]["buy_and_hold_percent"] == pytest.approx((change - 1) * 100)


def test_every_fill_and_failure_is_named(found: dict[str, Any]) -> None:
    summary = found["summary"]

    sides = [fill["side"] for fill in found["fills"]]
    assert (sides.count("BUY"), sides.count("SELL")) == (summary["buys"], summary["sells"])
    assert (summary["candles"], summary["failed"], summary["gapped"]) == (250, 3, 0)
    assert [failure["opened_at"] for failure in found["failures"]] == [
        f"2026-01-09T0{hour}:00:00+00:00" for hour in range(3)
    ]
    assert found["failures"][0]["message"].startswith("RuntimeError: no idea (")
    assert summary["skips"]["bot_failed"] == 3


def test_the_newest_signals_are_what_the_bot_wanted_and_what_limits_sold() -> None:
    class Says(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action(("SELL", "BUY", "BUY", "HOLD", "HOLD", "HOLD")[len(data) - 1], 1.0)

    frame = candles_of([100, 100, 104, 104, 80, 80])
    found = report(run(Says, make_backtest(frame, slippage_percent=Decimal(0))))

    signals = [
        (each["at"][11:16], each["action"], each["price"], each["source"]) for each in found["newest_signals"]
    ]
    assert signals == [
        ("01:00", "SELL", 100.0, "bot"),  # nothing was held
        ("02:00", "BUY", 104.0, "bot"),  # at the next open
        ("03:00", "BUY", 104.0, "bot"),  # nothing was free
        ("04:00", "SELL", 80.0, "stop_loss"),
    ]


def test_of_many_signals_the_newest_hundred_are_kept() -> None:
    signals = report(run(Wordy, make_backtest(with_indicators(wavy_candles(200), "1h"))))["newest_signals"]

    assert len(signals) == 100
    assert signals == sorted(signals, key=lambda each: each["at"])
    assert signals[-1]["at"] == "2026-01-09T07:00:00+00:00"


def test_slippage_is_what_was_assumed(found: dict[str, Any]) -> None:
    slippage = found["execution"]["slippage_percent"]

    assert slippage["count"] == len(found["fills"])
    assert slippage["median"] == pytest.approx(0.1, abs=0.01)  # up to a tick of a price of about 100


def test_a_trade_knows_its_best_and_worst_price_and_what_ended_it() -> None:
    class Once(CustomBot):
        def execute_algorithm(self, data: Any, timeframe: str, subscription_config: Any = None) -> Action:
            return Action("BUY" if len(data) == 1 else "HOLD", 1.0)

    frame = candles_of([100, 100, 100]).assign(high=[100.0, 107, 109], low=[100.0, 96, 80])

    free = make_rules(taker_fee_fraction="0")

    backtest = run(Once, make_backtest(frame, slippage_percent=Decimal(0), rules=free))
    (trade,) = report(backtest)["trades"]

    # Bought at the second candle's open, sold 8 % lower in the third, whose high counts too.
    assert (trade["entry_price"], trade["exit_price"], trade["exit_source"]) == (100, 92, "stop_loss")
    assert trade["opened_at"] == "2026-01-01T01:00:00+00:00"
    assert trade["closed_at"] == "2026-01-01T03:00:00+00:00"
    assert (trade["mae_fraction"], trade["mfe_fraction"]) == (pytest.approx(-0.2), pytest.approx(0.09))


def test_a_run_is_reported_as_far_as_it_has_come() -> None:
    backtest = make_backtest(candles_of([100, 110, 120]), fill_at=FillAt.CLOSE)

    before = report(backtest)
    backtest.act(Action("BUY", 100.0))
    backtest.advance()
    after = report(backtest)

    assert (before["summary"]["candles"], before["summary"]["equity"], before["trades"]) == (0, 1000, [])
    assert (after["summary"]["candles"], after["summary"]["buys"]) == (1, 1)
    json.dumps([before, after], allow_nan=False)


def test_the_same_run_gives_the_same_report(found: dict[str, Any]) -> None:
    again = report(run(Waves, make_backtest(with_indicators(wavy_candles(300), "1h"), 50)), versions_tried=3)

    assert again == found
