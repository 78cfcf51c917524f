"""What pages show of backtests: their reports and settings in words, rows and points to draw.

Numbers are floats here: they are for reading, not for money.
"""

import csv
import io
from bisect import bisect, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any

from django.utils import formats

from bot_sdk.configs import LIMIT, ExecutionConfig, RiskConfig
from bot_sdk.metric_table import Metric, Unit
from bot_sdk.risk import BOT
from exchanges.templatetags.amounts import GROUP_SPACE, NOTHING, money, plain, signed_percent
from execution.metric_rows import Shown, shown
from execution.metric_words import span_text
from execution.models import Backtest
from execution.spreadsheets import cell
from execution.words import SOURCES, limit_rows, sizing_rows, value_words

HEAT_STEPS = (0.05, 2.0, 5.0, 10.0)  # percent a month, from hardly anything to much
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TRADE_COLUMNS = {
    "opened_at": "Opened",
    "held": "Held",
    "amount": "Amount",
    "entry_price": "Entry",
    "exit_price": "Exit",
    "pnl": "Profit",
    "return_fraction": "Return",
}
NUMBER_COLUMNS = ("entry_price", "exit_price", "amount", "fees", "pnl")

type Report = Mapping[str, Any]
type Rows = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Heat:
    """One cell of the heat map; `style` is its CSS class."""

    label: str
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Year:
    """One row of the heat map: the months in which the run was, and the whole of it."""

    year: int
    months: Sequence[Heat]
    total: Heat


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """One row of the list of trades: its number in time, when, and the report's own figures."""

    number: int
    opened_at: datetime
    closed_at: datetime
    held: str
    return_percent: float
    sold_by: str
    figures: Mapping[str, Any]


def metrics_of(backtest: Backtest) -> dict[str, Shown]:
    """Return every metric of the backtest's report by its key, in the table's order."""
    assert backtest.report is not None
    days, trades = len(backtest.report["daily"]["equity"]) - 1, len(backtest.report["trades"])
    return shown(backtest.report["metrics"], quote=backtest.market.quote, days=days, trades=trades)


def years_of(report: Report) -> list[Year]:
    """Return the heat map of monthly returns, oldest year first."""
    return [
        Year(
            row["year"],
            [
                _heat(month, value)
                for month, value in zip(MONTHS, row["months"], strict=True)
                if value is not None
            ],
            _heat("Total", row["total_percent"]),
        )
        for row in report["monthly"]
    ]


def drawdowns_of(report: Report) -> list[dict[str, Any]]:
    """Return the deepest stays below a peak, with dates in place of texts."""
    days = ("peak_on", "trough_on", "recovered_on")
    return [
        each | {name: each[name] and _midnight(each[name]) for name in days} for each in report["drawdowns"]
    ]


def sorted_trades(report: Report, order: str) -> list[ClosedTrade]:
    """Return the closed trades in an order such as "pnl", or "-pnl" for the largest first."""
    trades = [_closed_trade(number, raw) for number, raw in enumerate(report["trades"], start=1)]
    column = order.removeprefix("-")

    def key(trade: ClosedTrade) -> Any:
        if column == "held":
            return trade.closed_at - trade.opened_at
        return trade.opened_at if column == "opened_at" else trade.figures[column]

    return sorted(trades, key=key, reverse=order.startswith("-"))


def trades_csv(report: Report) -> str:
    """Return the closed trades as CSV, oldest first; a bot's words never begin a spreadsheet's formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    fractions = ("return_fraction", "mae_fraction", "mfe_fraction")
    words = ("entry_reason", "exit_reason", "exit_source")
    writer.writerow(["opened_at", "closed_at", *NUMBER_COLUMNS, *fractions, *words])
    for trade in report["trades"]:
        numbers = [plain(trade[name]) if name in NUMBER_COLUMNS else trade[name] for name in NUMBER_COLUMNS]
        writer.writerow(
            [
                trade["opened_at"],
                trade["closed_at"],
                *numbers,
                *(trade[name] for name in fractions),
                *(cell(trade[name]) for name in words),
            ]
        )
    return text.getvalue()


def chart_data(backtest: Backtest) -> dict[str, Any]:
    """Return what a backtest's charts draw, each list oldest first; times are Unix seconds.

    `bars` holds `[opened, open, high, low, close]`, `markers` `[opened, side, count]` of each bar that had
    fills, `curve` `[opened, equity, buy and hold, drawdown in percent]` at each bar's close, and `luck`
    `[day, original, 5 %, 50 %, 95 %]` of the resampled paths, empty when there are none.
    """
    assert backtest.report is not None
    bars, capital = backtest.report["bars"], float(backtest.capital)
    peaks = accumulate((bar[5] for bar in bars), max, initial=capital)
    next(peaks)
    return {
        "bars": [bar[:5] for bar in bars],
        "markers": _markers(backtest),
        "curve": [
            [bar[0], bar[5], capital * bar[4] / bars[0][1], (bar[5] / peak - 1) * 100]
            for bar, peak in zip(bars, peaks, strict=True)
        ],
        "luck": _luck(backtest.report),
        "capital": capital,
        "price_tick": float(backtest.market.price_tick),
    }


def settings_of(backtest: Backtest) -> dict[str, Rows]:
    """Return all that was set, in words and under headings. Select its version, bot and market beforehand."""
    market, declared = backtest.market, backtest.version.declared_parameters
    # what held is known once it has run: the platform may have been stricter than what was chosen
    risk = RiskConfig.parse(backtest.report["risk"] if backtest.report else backtest.risk_config)
    detail = backtest.get_detail_timeframe_display()
    return {
        "Market and money": [
            ("Bot", f"{backtest.version.bot.name} {backtest.version.number}"),
            ("Market", str(market)),
            ("Candles", backtest.get_timeframe_display()),
            ("Period, UTC", f"{_day(backtest.begins_at)} to {_day(backtest.last_at)}"),
            ("Capital", money(backtest.capital, market.quote)),
        ],
        "Strategy": [
            (each.label or each.name, value_words(backtest.strategy_config.get(each.name)))
            for each in declared
        ],
        "Orders": sizing_rows(ExecutionConfig.parse(backtest.execution_config), market.quote),
        "Risk limits": limit_rows(risk),
        "Assumptions": [
            ("Market orders fill", backtest.get_fill_at_display().lower()),
            ("Slippage", f"{plain(backtest.slippage_percent)}{GROUP_SPACE}%"),
            ("Inside a candle", f"candles of {detail}" if detail else "the worst order of its prices"),
            ("Candles were released", "one by one" if backtest.is_strict else "together"),
        ],
    }


def compared_metrics(one: Backtest, other: Backtest) -> dict[str, list[tuple[Metric, Shown, Shown, str]]]:
    """Return both runs' metrics under their headings; the last of each says which is better: a, b or none."""
    groups: dict[str, list[tuple[Metric, Shown, Shown, str]]] = {}
    others = metrics_of(other)
    for key, each in metrics_of(one).items():
        is_alike = each.metric.unit != Unit.MONEY or _same_money(one, other)
        better = _better(each.metric, each.value, others[key].value) if is_alike else ""
        row = (each.metric, each, others[key], better)
        groups.setdefault(each.metric.group, []).append(row)
    return groups


def compared_settings(one: Backtest, other: Backtest) -> dict[str, list[tuple[str, str, str]]]:
    """Return both runs' settings under their headings; a dash stands for what one of them does not have."""
    first, second = settings_of(one), settings_of(other)
    rows = {}
    for heading in first:
        values, others = dict(first[heading]), dict(second[heading])
        labels = [*values, *(label for label in others if label not in values)]
        rows[heading] = [(label, values.get(label, NOTHING), others.get(label, NOTHING)) for label in labels]
    return rows


def _same_money(one: Backtest, other: Backtest) -> bool:
    """Whether sums of both are of the same currency and capital, so that the larger one says something."""
    return (one.market.quote, one.capital) == (other.market.quote, other.capital)


def _better(metric: Metric, value: float | None, other: float | None) -> str:
    if metric.is_higher_better is None or value is None or other is None or value == other:
        return ""
    return "a" if (value > other) == metric.is_higher_better else "b"


def _heat(label: str, value: float) -> Heat:
    strength = bisect(HEAT_STEPS, abs(value))
    side = "gain" if value > 0 else "loss"
    return Heat(label, signed_percent(value), f"heat-{side}-{strength}" if strength else "heat-flat")


def _closed_trade(number: int, raw: Mapping[str, Any]) -> ClosedTrade:
    opened_at, closed_at = (datetime.fromisoformat(raw[name]) for name in ("opened_at", "closed_at"))
    held = span_text((closed_at - opened_at) / timedelta(days=1))
    sold_by = SOURCES.get(raw["exit_source"], "")
    return ClosedTrade(number, opened_at, closed_at, held, raw["return_fraction"] * 100, sold_by, raw)


def _markers(backtest: Backtest) -> list[list[Any]]:
    assert backtest.report is not None
    opened = [bar[0] for bar in backtest.report["bars"]]
    is_market = backtest.execution_config.get("order_type") != LIMIT
    fills_at_open = is_market and backtest.fill_at == Backtest.FillAt.NEXT_OPEN
    counts: Counter[tuple[int, str]] = Counter()
    for fill in backtest.report["fills"]:
        at = datetime.fromisoformat(fill["at"]).timestamp()
        is_at_open = fills_at_open and fill["source"] == BOT
        # what is filled at a close is stamped with the moment at which the next candle opens
        index = bisect_right(opened, at if is_at_open else at - 1) - 1
        counts[max(index, 0), fill["side"]] += 1
    return [[opened[index], side, count] for (index, side), count in sorted(counts.items())]


def _luck(report: Report) -> list[list[Any]]:
    found = report["monte_carlo"]
    if found is None:
        return []
    start = date.fromisoformat(report["daily"]["start_on"])
    paths = (found[f"{name}_path"] for name in ("original", "p5", "p50", "p95"))
    days = ((start + timedelta(days=day)).isoformat() for day in found["days"])
    return [list(row) for row in zip(days, *paths, strict=True)]


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)


def _day(at: datetime) -> str:
    return formats.date_format(at.astimezone(UTC), "j M Y")
