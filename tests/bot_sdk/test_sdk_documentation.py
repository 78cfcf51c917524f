import re
from dataclasses import fields
from pathlib import Path

from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.indicators import INDICATORS

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"


def rows_of(document: str) -> list[list[str]]:
    lines = (DOCUMENTS / document).read_text().splitlines()
    return [line.split("|")[1:3] for line in lines if line.startswith("| `")]


def test_the_documented_indicators_are_those_there_are() -> None:
    rows = rows_of("indicators.md")

    assert {name.strip(" `"): text.strip() for name, text in rows} == INDICATORS


def test_the_documented_settings_are_those_there_are() -> None:
    documented = [
        name for keys, _ in rows_of("orders_and_limits.md") for name in re.findall(r"`(\w+)`", keys)
    ]

    assert sorted(documented) == sorted(
        field.name for config in (ExecutionConfig, RiskConfig) for field in fields(config)
    )
