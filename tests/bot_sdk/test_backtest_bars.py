"""The bars of a report's chart: few enough to draw, and true to the candles that they stand for."""

from decimal import Decimal

import pytest

from bot_sdk.backtest import Backtest, Setup
from bot_sdk.backtest_report import CHART_BARS, report
from bot_sdk.desk import Terms
from bot_sdk.history import History, with_indicators
from tests.bot_sdk.samples import make_execution, make_risk, make_rules, wavy_candles


def found(count: int, first: int = 0) -> tuple[Backtest, list[list[float]]]:
    """A run in which the bot held at each candle, and its bars."""
    terms = Terms(capital=Decimal(1000), rules=make_rules(), execution=make_execution(), risk=make_risk())
    history = History(with_indicators(wavy_candles(count), "1h"), "1h", first=first)
    backtest = Backtest(history, Setup("BINANCE", "BTC/USDT", "1h", terms, {}))
    while not backtest.is_over:
        backtest.advance()
    return backtest, report(backtest)["bars"]


def test_few_candles_are_bars_themselves() -> None:
    backtest, bars = found(12, first=2)

    opened = [stamp // 1_000_000 for stamp in backtest.history.stamps[2:].tolist()]
    assert [bar[0] for bar in bars] == opened
    assert [bar[1:5] for bar in bars] == backtest.history.prices[2:].tolist()
    assert {bar[5] for bar in bars} == {1000}


@pytest.mark.parametrize("count", [CHART_BARS, CHART_BARS + 1, 2 * CHART_BARS + 7])
def test_many_candles_share_a_bar(count: int) -> None:
    backtest, bars = found(count)

    prices, each = backtest.history.prices, -(-count // CHART_BARS)
    assert len(bars) == -(-count // each) <= CHART_BARS
    assert bars[-1][4] == prices[-1, 3]
    assert bars[1][1:5] == [
        prices[each, 0],
        prices[each : 2 * each, 1].max(),
        prices[each : 2 * each, 2].min(),
        prices[2 * each - 1, 3],
    ]
    assert max(bar[2] for bar in bars) == prices[:, 1].max()
