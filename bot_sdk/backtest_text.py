"""A backtest's figures as text for a terminal."""

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby, zip_longest
from typing import Any

from bot_sdk.backtest import Summary
from bot_sdk.metric_table import METRICS, Metric, Unit

_LABEL, _VALUE, _UNIT = 36, 14, 5
_COLUMN = _LABEL + _VALUE + 1 + _UNIT
_BETWEEN = 3


def closing(summary: Summary, quote: str) -> str:
    """Return what was done and what came of it, in seven lines."""
    skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(summary.skips.items())) or "none"
    return "\n".join(
        [
            f"candles  {summary.candles:>14}",
            f"buys     {summary.buys:>14}",
            f"sells    {summary.sells:>14}",
            f"fees     {summary.fees:>14.2f} {quote}",
            f"equity   {summary.equity:>14.2f} {quote}",
            f"return   {summary.return_percent:>+14.2f} %",
            f"skipped  {skipped}",
        ]
    )


def as_text(report: Mapping[str, Any], quote: str) -> str:
    """Return the metrics of a `bot_sdk.backtest_report.report`, what was assumed, and where the bot failed.

    On a terminal that is wide enough the metrics stand in two columns.
    """
    blocks = [
        [str(group), *(_figure(metric, report["metrics"][metric.key], quote) for metric in metrics), ""]
        for group, metrics in groupby(METRICS, key=lambda metric: metric.group)
    ]
    lines = [*_side_by_side(blocks), "Assumptions", *(f"  {line}" for line in report["assumptions"])]
    return "\n".join([*lines, *_failures(report)])


def _figure(metric: Metric, value: float | None, quote: str) -> str:
    unit = {Unit.PERCENT: "%", Unit.DAYS: "days", Unit.MONEY: quote}.get(metric.unit, "")
    shown = "n/a" if value is None else _number(value, metric.unit)
    return f"  {metric.label:<{_LABEL - 2}}{shown:>{_VALUE}} {'' if value is None else unit}".rstrip()


def _number(value: float, unit: Unit) -> str:
    if unit == Unit.COUNT:
        return f"{value:,.0f}"
    if unit == Unit.MONEY and 0 < abs(value) < 1:  # of a coin that is worth much
        return f"{value:.6f}"
    return f"{value:,.2f}"


def _side_by_side(blocks: Sequence[Sequence[str]]) -> list[str]:
    lines = [line for block in blocks for line in block]
    if shutil.get_terminal_size().columns < 2 * _COLUMN + _BETWEEN:
        return lines
    left: list[str] = []
    right: list[str] = []
    for block in blocks:
        (right if right or 2 * len(left) >= len(lines) else left).extend(block)
    return [
        f"{one:<{_COLUMN + _BETWEEN}}{other}".rstrip()
        for one, other in zip_longest(left, right, fillvalue="")
    ]


def _failures(report: Mapping[str, Any]) -> list[str]:
    failed = report["summary"]["failed"]
    if not failed:
        return []
    first = report["failures"][0]
    opened_at = datetime.fromisoformat(first["opened_at"])
    return [
        "",
        f"The bot failed on {failed:,} candles, first on that of {opened_at:%Y-%m-%d %H:%M} UTC:",
        first["message"],
    ]
