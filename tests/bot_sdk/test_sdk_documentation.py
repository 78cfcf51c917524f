from pathlib import Path

from bot_sdk.indicators import INDICATORS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "indicators.md"


def test_the_documented_indicators_are_those_there_are() -> None:
    rows = [line.split("|")[1:3] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]

    assert {name.strip(" `"): text.strip() for name, text in rows} == INDICATORS
