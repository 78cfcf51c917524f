"""What a backtest found, as plain JSON: the same on a developer's machine and on the platform's pages."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot_sdk.backtest import Backtest, summarize
from bot_sdk.desk import FillAt
from bot_sdk.equity import DailyEquity, daily_equity, drawdowns, monthly_returns
from bot_sdk.excursions import with_excursions
from bot_sdk.execution_statistics import execution_statistics, slippage_percent
from bot_sdk.metrics import measure
from bot_sdk.risk import BOT
from bot_sdk.robustness import deflated_sharpe_percent, monte_carlo
from bot_sdk.trades import Trade, trades_of

DEEPEST = 5  # stays below a peak that are listed
CHART_BARS = 1500
MOST_SIGNALS = 100
MOST_TRADES = 10_000  # that are listed; the figures are of all
LONGEST_REASON = 100  # characters, of a bot's words at a trade that is listed
SEED = 1  # of the paths that might have been: the same run gives the same ones

_SECOND_US = 1_000_000
_DAY_US = 86_400 * _SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def report(backtest: Backtest, *, versions_tried: int = 1) -> dict[str, Any]:
    """Return the figures of a run as far as it has come.

    Times are ISO 8601 in UTC, money is float in quote, metrics are in the units of `bot_sdk.metric_table`.
    `bars` are for a chart: `[opened, open, high, low, close, equity]`, oldest first, 1,500 at most, each of
    as many candles as that takes, opened in Unix seconds and with the equity at its close.
    `newest_signals` are the last 100 of what the bot wanted, whatever became of it, and what limits sold.
    `trades` are the first 10,000, with reasons cut at 100 characters; all figures are of all trades.
    `risk` has the limits that held, as in `RiskConfig`.
    `versions_tried` is how many versions of the bot there are: the best of many is partly luck.
    """
    summary = summarize(backtest)
    trades = _trades(backtest)
    equity, market = _daily(backtest)
    worth = backtest.worth()
    loads = np.divide(worth.position, worth.equity, out=np.zeros_like(worth.equity), where=worth.equity > 0)
    paths = monte_carlo(equity, seed=SEED)
    return {
        "summary": {
            "candles": summary.candles,
            "buys": summary.buys,
            "sells": summary.sells,
            "skips": {str(reason): count for reason, count in summary.skips.items()},
            "fees": float(summary.fees),
            "equity": float(summary.equity),
            "return_percent": float(summary.return_percent),
            "gapped": backtest.gapped,
            "failed": backtest.failed,
            "is_position_open": backtest.desk.holding.base_amount > 0,
        },
        "metrics": measure(equity, trades, buy_and_hold=market, loads=loads.tolist()),
        "daily": {
            "start_on": equity.start_on.isoformat(),
            "equity": equity.values.tolist(),
            "buy_and_hold": (market.values / market.values[0] * equity.values[0]).tolist(),
            "drawdown_percent": (equity.drawdown * 100).tolist(),
        },
        "bars": _bars(backtest, worth.equity),
        "monthly": [asdict(year) for year in monthly_returns(equity)],
        "drawdowns": [_dated(asdict(each)) for each in _deepest(equity)],
        "trades": [_dated(_trade(each)) for each in trades[:MOST_TRADES]],
        "fills": [
            _dated({"at": fill.at, "side": fill.side, "price": float(fill.price), "source": fill.source})
            for fill in backtest.desk.fills
        ],
        "newest_signals": _newest_signals(backtest),
        "monte_carlo": None if paths is None else asdict(paths),
        "deflated_sharpe_percent": deflated_sharpe_percent(equity, versions=versions_tried),
        "versions_tried": versions_tried,
        "execution": _execution(backtest),
        "failures": [
            {"opened_at": each.opened_at.isoformat(), "message": each.message} for each in backtest.failures
        ],
        "risk": backtest.setup.terms.risk.to_dict(),
        "assumptions": assumptions(backtest),
    }


def assumptions(backtest: Backtest) -> list[str]:
    """Return in sentences what was taken for granted about fills, prices and fees."""
    terms = backtest.setup.terms
    filled = {
        FillAt.NEXT_OPEN: "Market orders are sized and filled at the open of the candle after the decision",
        FillAt.CLOSE: "Market orders are filled at the close of the candle that they were decided on",
    }[terms.fill_at]
    way, first = ("down to its low, then up to its high, then to its close", "the stop")
    if backtest.history.is_detailed:
        way, first = (
            "as the smaller candles inside it do, each down, up and to its close",
            "what they reach",
        )
    return [
        f"{filled}, {terms.slippage_percent.normalize():f} % worse than that price, in full.",
        f"The fee is the market's taker fee, {(terms.rules.taker_fee_fraction * 100).normalize():f} % of the "
        "cost, for every order.",
        f"Inside a candle prices go {way}: where a stop and a target lie in one candle, {first} comes first. "
        "Each sells at its own price, or at the open where a candle begins beyond it.",
        "Limit orders are filled in full at their own price by the first candle that trades through it; to "
        "be touched is not enough.",
        "Orders obey the market's steps and minimums of today.",
        "Missing candles stay missing. Where too many are, the bot is not asked, and stops still act.",
    ]


def _trades(backtest: Backtest) -> list[Trade]:
    trades = list(trades_of(backtest.desk.fills, rules=backtest.setup.terms.rules))
    if not trades:
        return []
    frame = backtest.history
    low, high = (frame.rows[:, frame.columns.index(name)] for name in ("low", "high"))
    return with_excursions(trades, frame.index.to_pydatetime().tolist(), low.tolist(), high.tolist())


def _daily(backtest: Backtest) -> tuple[DailyEquity, DailyEquity]:
    """Return the equity of each UTC day, and the market's price at the same moments."""
    history, rows = backtest.history, backtest.passed
    begins_at = history.opened_at(rows.start)
    closed = history.stamps[rows] + (history.closed_at(rows.start) - begins_at) // timedelta(microseconds=1)
    days = (closed - 1) // _DAY_US
    lasts = np.flatnonzero(np.append(np.diff(days), 1)) if len(days) else np.zeros(0, dtype=int)
    moments = [_EPOCH + int(stamp) * timedelta(microseconds=1) for stamp in closed[lasts]]
    values, prices = backtest.worth().equity[lasts].tolist(), history.closes[rows][lasts].tolist()
    first_price = float(history.bar(rows.start).open)
    return (
        daily_equity([(begins_at, backtest.setup.terms.capital), *zip(moments, values, strict=True)]),
        daily_equity([(begins_at, first_price), *zip(moments, prices, strict=True)]),
    )


def _bars(backtest: Backtest, equity: NDArray[np.float64]) -> list[list[float]]:
    history, rows = backtest.history, backtest.passed
    count = rows.stop - rows.start
    if not count:
        return []
    firsts = np.arange(0, count, -(-count // CHART_BARS))
    opens, highs, lows, closes = history.prices[rows].T
    lasts = np.append(firsts[1:], count) - 1
    columns = (
        opens[firsts],
        np.maximum.reduceat(highs, firsts),
        np.minimum.reduceat(lows, firsts),
        closes[lasts],
        equity[lasts],
    )
    stamps = history.stamps[rows][firsts] // _SECOND_US
    return [[at, *bar] for at, bar in zip(stamps.tolist(), np.column_stack(columns).tolist(), strict=True)]


def _deepest(equity: DailyEquity) -> Sequence[Any]:
    return sorted(drawdowns(equity), key=lambda each: each.depth_percent, reverse=True)[:DEEPEST]


def _trade(trade: Trade) -> dict[str, Any]:
    money = ("entry_price", "exit_price", "amount", "fees", "pnl")
    reasons = {name: getattr(trade, name)[:LONGEST_REASON] for name in ("entry_reason", "exit_reason")}
    return asdict(trade) | {name: float(getattr(trade, name)) for name in money} | reasons


def _newest_signals(backtest: Backtest) -> list[dict[str, Any]]:
    """Return the newest signals, oldest first; of one moment, what a limit sold comes before the bot's."""
    wishes = [
        (each.closed_at, each.action.action, each.price, BOT)
        for each in backtest.desk.decisions[-MOST_SIGNALS:]
        if each.signal.source == BOT
    ]
    exits = [
        (fill.at, fill.side, fill.price, fill.source)
        for fill in backtest.desk.fills[-MOST_SIGNALS:]
        if fill.source != BOT
    ]
    newest = sorted([*exits, *wishes], key=lambda signal: signal[0])[-MOST_SIGNALS:]
    return [
        {"at": at.isoformat(), "action": action, "price": float(price), "source": source}
        for at, action, price, source in newest
    ]


def _execution(backtest: Backtest) -> dict[str, Any]:
    fills = backtest.desk.fills
    statistics = execution_statistics(
        latencies=[],
        slippages=[
            slippage_percent(fill.side, decided_price=fill.decided_price, fill_price=fill.price)
            for fill in fills
            if fill.decided_price
        ],
        fees=[fill.fee for fill in fills],
        skips=[],
        verdicts=[],
    )
    return {"slippage_percent": asdict(statistics.slippage_percent), "fees": float(statistics.fees)}


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()
    }
