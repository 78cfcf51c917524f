from pathlib import Path

from bot_sdk.metric_table import CONVENTION, METRICS, Metric

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def row_of(metric: Metric) -> str:
    days = f"{metric.minimum_days} {'day' if metric.minimum_days == 1 else 'days'}"
    trades = f"{metric.minimum_trades} {'trade' if metric.minimum_trades == 1 else 'trades'}"
    least = [text for text, count in ((days, metric.minimum_days), (trades, metric.minimum_trades)) if count]
    cells = (
        f"`{metric.key}`",
        metric.label,
        metric.unit,
        metric.definition.replace("*", "\\*"),
        ", ".join(least) or "none",
        metric.peer or "-",
    )
    return f"| {' | '.join(cells)} |"


def test_the_documented_metrics_are_those_there_are() -> None:
    document = DOCUMENT.read_text()
    assert CONVENTION in document

    headings = [line.removeprefix("## ") for line in document.splitlines() if line.startswith("## ")]
    assert headings == [*dict.fromkeys(metric.group for metric in METRICS), "Beside the table"]
    assert [line for line in document.splitlines() if line.startswith("| `")] == [
        row_of(metric) for metric in METRICS
    ]


def test_a_key_names_its_unit() -> None:
    for metric in METRICS:
        for unit in ("percent", "days"):
            assert metric.key.endswith(f"_{unit}") == (metric.unit == unit), metric.key
