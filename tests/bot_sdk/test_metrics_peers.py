"""Our numbers against those of quantstats and backtesting.py, on a made-up record and on real candles."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest, Strategy
from quantstats import stats as quantstats

from bot_sdk.equity import DailyEquity, drawdowns, monthly_returns
from bot_sdk.metric_table import METRICS
from bot_sdk.metrics import measure
from bot_sdk.robustness import deflated_sharpe_percent
from bot_sdk.trades import Fill, Trade, trades_of

# backtesting.py asks pandas for names that pandas 4 will not have.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

FEE_FRACTION = 0.001
YEAR = 365


class Switch(Strategy):  # type: ignore[misc]  # it has no types
    """Hold ten units while the column `Held` is above zero."""

    def init(self) -> None:
        pass

    def next(self) -> None:
        if self.data.Held[-1] > 0 and not self.position:
            self.buy(size=10)
        elif not self.data.Held[-1] > 0 and self.position:
            self.position.close()


@dataclass(frozen=True)
class Record:
    """What backtesting.py made of daily candles, and our numbers for the same."""

    theirs: pd.Series
    returns: pd.Series
    equity: DailyEquity
    trades: list[Trade]
    ours: dict[str, float | None]


def synthetic_candles() -> pd.DataFrame:
    random = np.random.default_rng(20)
    close = 30_000 * np.cumprod(1 + random.normal(0.001, 0.03, 800))
    held = random.random(800) < 0.5
    return candles_of(close, held.astype(float), pd.date_range("2022-03-04", periods=800))


def real_candles() -> pd.DataFrame:
    beside_project = Path(__file__).resolve().parents[3] / "shared" / "market-data"
    folder = Path(os.environ.get("MARKET_DATA_DIR", beside_project))
    if not folder.is_dir():
        pytest.skip(f"no real candles in {folder}; name their folder with MARKET_DATA_DIR")
    candles = pd.read_parquet(folder / "binance_BTC_USDT_1d.parquet")
    close = candles["close"].to_numpy(dtype=np.float64)
    average = {days: pd.Series(close).rolling(days).mean().to_numpy() for days in (10, 30)}
    held = (average[10] > average[30]).astype(float)
    return candles_of(close, held, pd.date_range("2017-08-17", periods=len(close)))


def candles_of(close: np.ndarray, held: np.ndarray, days: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({name: close for name in ("Open", "High", "Low", "Close")} | {"Held": held}, days)


@pytest.fixture(scope="module", params=[synthetic_candles, real_candles])
def record(request: pytest.FixtureRequest) -> Record:
    candles = request.param()
    theirs = Backtest(
        candles, Switch, cash=1_000_000, commission=FEE_FRACTION, trade_on_close=True, finalize_trades=True
    ).run()

    values = theirs["_equity_curve"]["Equity"].to_numpy()
    equity = DailyEquity(candles.index[0].date(), values)
    trades = list(trades_of(fills_of(theirs["_trades"])))
    market = DailyEquity(equity.start_on, candles["Close"].to_numpy())
    returns = pd.Series(values, candles.index).pct_change().iloc[1:]
    return Record(theirs, returns, equity, trades, measure(equity, trades, buy_and_hold=market))


def fills_of(trades: pd.DataFrame) -> list[Fill]:
    rows = trades.sort_values("EntryTime").to_dict("records")
    return [
        Fill(
            side,
            Decimal(row["Size"]),
            price := Decimal(repr(row[f"{end}Price"])),
            fee_at(price, row["Size"]),
            row[f"{end}Time"].to_pydatetime().replace(tzinfo=UTC),
        )
        for row in rows
        for side, end in (("BUY", "Entry"), ("SELL", "Exit"))
    ]


def fee_at(price: Decimal, size: int) -> Decimal:
    return round(price * size * Decimal(repr(FEE_FRACTION)), 18)


def theirs(name: str, unit: float = 1.0) -> Callable[[Record], Any]:
    return lambda record: record.theirs[name] * unit


def quantstat(name: str, unit: float = 1.0, **options: Any) -> Callable[[Record], Any]:
    return lambda record: getattr(quantstats, name)(record.returns, **options) * unit


PEERS: dict[tuple[str, str], Callable[[Record], Any]] = {
    ("total_return_percent", "backtesting.py"): theirs("Return [%]"),
    ("total_return_percent", "quantstats"): quantstat("comp", 100),
    ("cagr_percent", "quantstats"): quantstat("cagr", 100, periods=YEAR),
    ("volatility_percent", "quantstats"): quantstat("volatility", 100, periods=YEAR),
    ("max_drawdown_percent", "quantstats"): quantstat("max_drawdown", -100),
    ("max_drawdown_percent", "backtesting.py"): theirs("Max. Drawdown [%]", -1),
    ("longest_drawdown_days", "backtesting.py"): lambda record: record.theirs["Max. Drawdown Duration"].days,
    ("ulcer_index_percent", "quantstats"): quantstat("ulcer_index", 100),
    ("value_at_risk_percent", "quantstats"): quantstat("value_at_risk", 100),
    ("conditional_value_at_risk_percent", "quantstats"): quantstat("cvar", 100, method="historical"),
    ("tail_ratio", "quantstats"): quantstat("tail_ratio"),
    ("sharpe", "quantstats"): quantstat("sharpe", periods=YEAR),
    ("smart_sharpe", "quantstats"): quantstat("smart_sharpe", periods=YEAR),
    ("sortino", "quantstats"): quantstat("sortino", periods=YEAR),
    ("calmar", "quantstats"): quantstat("calmar", periods=YEAR),
    ("omega", "quantstats"): quantstat("omega"),
    ("gain_to_pain", "quantstats"): quantstat("gain_to_pain_ratio"),
    ("ulcer_performance", "quantstats"): quantstat("upi"),
    ("buy_and_hold_percent", "backtesting.py"): theirs("Buy & Hold Return [%]"),
    ("beta", "backtesting.py"): theirs("Beta"),
    ("alpha_percent", "backtesting.py"): theirs("Alpha [%]"),
    ("best_day_percent", "quantstats"): quantstat("best", 100),
    ("worst_day_percent", "quantstats"): quantstat("worst", 100),
    ("best_month_percent", "quantstats"): quantstat("best", 100, aggregate="eom"),
    ("worst_month_percent", "quantstats"): quantstat("worst", 100, aggregate="eom"),
    ("trades", "backtesting.py"): theirs("# Trades"),
    ("win_rate_percent", "backtesting.py"): theirs("Win Rate [%]"),
    ("average_trade_percent", "backtesting.py"): theirs("Expectancy [%]"),
    ("best_trade_percent", "backtesting.py"): theirs("Best Trade [%]"),
    ("worst_trade_percent", "backtesting.py"): theirs("Worst Trade [%]"),
    ("system_quality", "backtesting.py"): theirs("SQN"),
    ("kelly_percent", "backtesting.py"): theirs("Kelly Criterion", 100),
    ("average_holding_days", "backtesting.py"): lambda record: (
        record.theirs["_trades"]["Duration"].mean() / pd.Timedelta(days=1)
    ),
    ("longest_holding_days", "backtesting.py"): lambda record: record.theirs["Max. Trade Duration"].days,
    ("fees", "backtesting.py"): theirs("Commissions [$]"),
}


@pytest.mark.parametrize("key, peer", PEERS)
def test_a_metric_equals_its_peer(record: Record, key: str, peer: str) -> None:
    assert record.ours[key] == pytest.approx(PEERS[key, peer](record), rel=1e-6)


def test_the_table_names_the_peers_that_are_compared() -> None:
    named = {(metric.key, peer) for metric in METRICS for peer in metric.peer.split(", ") if peer}

    assert named == PEERS.keys()


def test_each_trade_has_the_profit_that_its_peer_counts(record: Record) -> None:
    theirs = record.theirs["_trades"].sort_values("EntryTime")

    assert [float(trade.pnl) for trade in record.trades] == pytest.approx(theirs["PnL"].tolist(), rel=1e-9)
    assert [trade.return_fraction for trade in record.trades] == pytest.approx(theirs["ReturnPct"].tolist())


def test_the_profit_factor_is_the_peers_when_every_trade_costs_the_same(record: Record) -> None:
    equal = [replace(trade, pnl=Decimal(repr(trade.return_fraction))) for trade in record.trades]

    ours = measure(record.equity, equal)["profit_factor"]

    assert ours == pytest.approx(record.theirs["Profit Factor"], rel=1e-6)


def test_the_peer_counts_the_candle_of_the_exit_as_exposed_and_we_count_closes(record: Record) -> None:
    theirs = record.theirs["_trades"]
    days = len(record.equity.values)
    is_held = np.zeros(days)
    for trade in theirs.itertuples():
        is_held[trade.EntryBar : trade.ExitBar] = 1
    exits = len(set(theirs["ExitBar"]) - set(theirs["EntryBar"]))

    ours = measure(record.equity, [], loads=is_held.tolist())["exposure_percent"]

    assert ours == pytest.approx(record.theirs["Exposure Time [%]"] - exits / days * 100)


def test_the_probability_of_a_sharpe_ratio_differs_by_the_moments_estimator_alone(record: Record) -> None:
    theirs = quantstats.probabilistic_sharpe_ratio(record.returns) * 100

    assert record.ours["probabilistic_sharpe_percent"] == pytest.approx(theirs, abs=0.01)
    assert deflated_sharpe_percent(record.equity, versions=1) == record.ours["probabilistic_sharpe_percent"]


def test_the_serenity_index_is_the_peers_with_the_mean_of_the_tail(record: Record) -> None:
    below = quantstats.to_drawdown_series(record.returns)
    pitfall = -quantstats.cvar(below, prepare_returns=False, method="historical") / record.returns.std()

    theirs = record.returns.sum() / (quantstats.ulcer_index(record.returns) * pitfall)

    assert record.ours["serenity"] == pytest.approx(theirs, rel=1e-6)


def test_monthly_returns_are_the_peers(record: Record) -> None:
    theirs = quantstats.monthly_returns(record.returns)

    ours = [
        [*(change or 0.0 for change in year.months), year.total_percent]
        for year in monthly_returns(record.equity)
    ]

    assert np.array(ours) == pytest.approx(theirs.to_numpy() * 100, rel=1e-6, abs=1e-9)


def test_drawdowns_are_the_peers(record: Record) -> None:
    theirs = quantstats.drawdown_details(quantstats.to_drawdown_series(record.returns))

    ours = drawdowns(record.equity)

    assert [str(drawdown.trough_on) for drawdown in ours] == theirs["valley"].astype(str).tolist()
    assert [-drawdown.depth_percent for drawdown in ours] == pytest.approx(theirs["max drawdown"].tolist())
