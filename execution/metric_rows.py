"""Metrics as rows of a page: under their headings, and with the reason where one has no value."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot_sdk.metric_table import METRICS, Metric
from execution.metric_words import metric_text, why_missing


@dataclass(frozen=True, slots=True)
class Shown:
    """One metric of a run; `missing` says why it has no value, "" when it has one."""

    metric: Metric
    value: float | None
    text: str
    missing: str


def shown(values: Mapping[str, float | None], *, quote: str, days: int, trades: int) -> dict[str, Shown]:
    """Return every metric by its key, in the table's order, from what `measure` found on so many days."""
    return {
        metric.key: Shown(
            metric,
            value := values.get(metric.key),
            metric_text(metric, value, quote),
            "" if value is not None else why_missing(metric, days=days, trades=trades),
        )
        for metric in METRICS
    }


def by_group(metrics: Mapping[str, Shown]) -> dict[str, list[Shown]]:
    """Return the metrics under their headings."""
    groups: dict[str, list[Shown]] = {}
    for each in metrics.values():
        groups.setdefault(each.metric.group, []).append(each)
    return groups
