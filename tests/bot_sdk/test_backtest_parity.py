"""With fees off and equal rules, the trades of backtesting.py, by time and price."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bot_sdk.examples
from bot_sdk.backtest import Backtest, Setup, run
from bot_sdk.bot_file import load_bot_class
from bot_sdk.desk import Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.trades import trades_of
from tests.bot_sdk import peers
from tests.bot_sdk.peers.backtesting_script import WARM_UP_CANDLES, closed_trades
from tests.bot_sdk.peers.histories import REAL, made_candles, real_candles
from tests.bot_sdk.samples import make_execution, make_risk, make_rules

pytestmark = [
    pytest.mark.filterwarnings("ignore:Some trades remain open"),  # only closed ones are compared
    pytest.mark.filterwarnings("ignore:DatetimeIndex.dayofweek is deprecated"),  # which backtesting.py uses
]

PEERS = Path(peers.__path__[0])
BOTS = {
    "rsi": Path(bot_sdk.examples.__path__[0]) / "rsi_bot.py",
    "sma_cross": PEERS / "sma_cross.py",
    "bollinger": PEERS / "bollinger.py",
}


def our_trades(strategy: str, candles: pd.DataFrame) -> list[list[Any]]:
    # A rest of less than 1000 buys nothing more when the price falls.
    rules = make_rules(taker_fee_fraction="0", price_tick="0.00000001", minimum_cost="1000")
    terms = Terms(
        Decimal(10**9), rules, make_execution(buy_order_type="ALL", buy_order_value=None), make_risk()
    )
    history = History(with_indicators(candles, "1h"), "1h", first=WARM_UP_CANDLES - 1)
    setup = Setup("BINANCE", "BTC/USDT", "1h", terms, {})
    backtest = run(load_bot_class(BOTS[strategy]), Backtest(history, setup))
    assert not backtest.failed
    return [
        [trade.opened_at.isoformat(), trade.entry_price, trade.closed_at.isoformat(), trade.exit_price]
        for trade in trades_of(backtest.desk.fills, rules=rules)
    ]


def exact_prices(trades: list[list[Any]]) -> list[list[Any]]:
    return [
        [at, Decimal(repr(float(price))), out, Decimal(repr(float(sold)))] for at, price, out, sold in trades
    ]


@pytest.mark.parametrize("strategy", BOTS)
def test_the_trades_are_those_of_backtesting_py(strategy: str) -> None:
    candles = made_candles(3000)

    ours, theirs = our_trades(strategy, candles), exact_prices(closed_trades(strategy, candles))

    assert len(ours) > 5
    assert ours == theirs


@pytest.mark.parametrize(
    "strategy",
    ["rsi", *(pytest.param(name, marks=pytest.mark.release) for name in ("sma_cross", "bollinger"))],
)
def test_the_trades_are_those_of_backtesting_py_on_years_of_real_candles(strategy: str) -> None:
    candles = real_candles(45_000)
    if candles is None:
        pytest.skip(f"There are no real candles at {REAL}; the made ones were compared.")

    ours, theirs = our_trades(strategy, candles), exact_prices(closed_trades(strategy, candles))

    assert len(ours) > 100
    assert ours == theirs
