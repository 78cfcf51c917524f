"""What a subscription's page says of its performance, from what a worker has measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot_sdk.metric_table import CONVENTION
from exchanges.templatetags.amounts import money, plain
from execution.metric_rows import Shown, by_group, shown
from execution.metric_words import MISSING
from execution.models import SubscriptionPerformance
from execution.words import SHORT_VERDICTS

FIRST = ("total_return_percent", "buy_and_hold_percent", "max_drawdown_percent", "sharpe", "win_rate_percent")


@dataclass(frozen=True, slots=True)
class PerformancePage:
    """The figures that come first, all of them by heading, and how decisions were carried out."""

    measured: SubscriptionPerformance
    first: list[Shown]
    groups: dict[str, list[Shown]]
    execution: list[tuple[str, str]]
    convention: str = CONVENTION


def performance_page(measured: SubscriptionPerformance, quote: str) -> PerformancePage:
    """Return what to show; `quote` is the market's currency."""
    metrics = shown(measured.metrics, quote=quote, days=measured.days, trades=measured.trades)
    found = measured.execution
    return PerformancePage(
        measured=measured,
        first=[metrics[key] for key in FIRST],
        groups=by_group(metrics),
        execution=[
            ("From candle close to order", _quantiles(found["latency_seconds"], "s")),
            ("Fills worse than the price at the decision", _quantiles(found["slippage_percent"], "%")),
            ("Fees paid", money(found["fees"], quote)),
            ("Signals that became no order", plain(sum(found["skips"].values()))),
            ("Runs of the bot", _counts(found["verdicts"])),
        ],
    )


def _quantiles(found: Mapping[str, float | None], unit: str) -> str:
    """For example "2.1 s in the median, at most 3.4 s in 19 of 20"."""
    median, p95 = found["median"], found["p95"]
    if median is None:
        return f"{MISSING} (of {found['count']:.0f}; from 5 on)"
    text = f"{median:.3g}\N{NO-BREAK SPACE}{unit} in the median"
    return text if p95 is None else f"{text}, at most {p95:.3g}\N{NO-BREAK SPACE}{unit} in 19 of 20"


def _counts(verdicts: Mapping[str, int]) -> str:
    return ", ".join(f"{SHORT_VERDICTS[verdict]} {count}" for verdict, count in verdicts.items()) or "none"
