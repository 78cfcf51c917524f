import pytest

from bot_sdk.metric_table import METRICS, Unit
from execution.metric_words import metric_text, span_text, why_missing

BY_UNIT = {metric.unit: metric for metric in METRICS}
THIN, WIDE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        (Unit.PERCENT, -1234.567, f"\N{MINUS SIGN}1{THIN}234.57{THIN}%"),
        (Unit.RATIO, 0.005, "0.00"),
        (Unit.MONEY, 12.5, f"12.50{WIDE}USDT"),
        (Unit.COUNT, 49.0, "49"),
        (Unit.DAYS, 0.5, f"12{WIDE}h"),
        (Unit.RATIO, None, "n/a"),
    ],
)
def test_a_value_has_its_unit(unit: Unit, value: float | None, shown: str) -> None:
    assert metric_text(BY_UNIT[unit], value, "USDT") == shown


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        (0, "0 min"),
        (59 / 1440, "59 min"),
        (1 / 24, "1 h"),
        (2.5, "60 h"),
        (3, "3 days"),
        (12.34, "12.3 days"),
        (365.4, "365 days"),
    ],
)
def test_a_length_of_time_is_in_the_unit_that_suits_it(days: float, shown: str) -> None:
    assert span_text(days) == shown.replace(" ", WIDE)


def test_what_a_metric_lacks_is_named() -> None:
    by_key = {metric.key: metric for metric in METRICS}

    assert why_missing(by_key["sharpe"], days=30, trades=99) == "It takes 60 days, and these are 30."
    assert "10 closed trades, and these are 3." in why_missing(by_key["win_rate_percent"], days=99, trades=3)
    assert "nothing to measure it by" in why_missing(by_key["profit_factor"], days=99, trades=30)
