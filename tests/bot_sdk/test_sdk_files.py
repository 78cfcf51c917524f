"""The two files that a developer hands over: their bot and their candles."""

from pathlib import Path

import pandas as pd
import pytest

from bot_sdk.bot_file import BotFileError, load_bot_class
from bot_sdk.candle_file import CandleFileError, read_candles
from bot_sdk.indicators import add_indicators

BOT = "class Mine(CustomBot):\n    pass\n"
HEADER = "opened_at,open,high,low,close,volume\n"
ROW_1 = "2026-01-01T00:00:00Z,10,12,9,11,5\n"
ROW_2 = "2026-01-01T01:00:00Z,11,12,10,10,7\n"


def bot_error(folder: Path, code: str) -> str:
    path = folder / "mine.py"
    path.write_text(code)
    with pytest.raises(BotFileError) as caught:
        load_bot_class(path)
    return str(caught.value)


def candle_error(folder: Path, text: str) -> str:
    path = folder / "candles.csv"
    path.write_text(text)
    with pytest.raises(CandleFileError) as caught:
        read_candles(path)
    return str(caught.value)


def read(folder: Path, text: str) -> pd.DataFrame:
    path = folder / "candles.csv"
    path.write_text(text)
    return read_candles(path)


def test_the_one_bot_of_a_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"from dataclasses import dataclass\nfrom bot_sdk import CustomBot\n{BOT}")

    assert load_bot_class(path).__name__ == "Mine"


def test_a_file_without_a_bot_says_how_to_define_one(tmp_path: Path) -> None:
    message = bot_error(tmp_path, "from bot_sdk import CustomBot\n")

    assert message.endswith("mine.py: No bot found: define one class that inherits from CustomBot.")


def test_two_bots_in_one_file_are_named(tmp_path: Path) -> None:
    message = bot_error(tmp_path, f"from bot_sdk import CustomBot\n{BOT}class Other(Mine):\n    pass\n")

    assert "Found 2 bots (Mine, Other): keep one class" in message


def test_a_bot_file_that_fails_to_run_says_why(tmp_path: Path) -> None:
    assert "cannot be loaded: ModuleNotFoundError: No module named 'talibb'" in bot_error(
        tmp_path, "import talibb\n"
    )
    assert "cannot be loaded: SyntaxError" in bot_error(tmp_path, "class Mine(CustomBot)\n")


def test_a_bot_file_that_is_missing_or_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BotFileError, match="No file at"):
        load_bot_class(tmp_path / "nothing.py")
    text_file = tmp_path / "bot.txt"
    text_file.touch()
    with pytest.raises(BotFileError, match=r"has to end in \.py"):
        load_bot_class(text_file)


def test_candles_come_as_the_indicators_want_them(tmp_path: Path) -> None:
    candles = read(tmp_path, HEADER + ROW_1 + ROW_2)

    assert candles.index.tolist() == [
        pd.Timestamp("2026-01-01T00:00Z"),
        pd.Timestamp("2026-01-01T01:00Z"),
    ]
    assert candles.loc[candles.index[0]].to_dict() == {
        "open": 10,
        "high": 12,
        "low": 9,
        "close": 11,
        "volume": 5,
    }
    assert len(add_indicators(candles)) == 2


@pytest.mark.parametrize(
    "time", ["1767225600", "1767225600000", "1767225600000000", "2026-01-01", "2026-01-01 02:00+02:00"]
)
def test_times_may_be_iso_or_epoch(tmp_path: Path, time: str) -> None:
    candles = read(tmp_path, HEADER + ROW_1.replace("2026-01-01T00:00:00Z", time))

    assert candles.index.tolist() == [pd.Timestamp("2026-01-01T00:00Z")]
    assert candles.index.dtype == "datetime64[us, UTC]"


@pytest.mark.parametrize("header", ["timestamp", "date", " Opened_At "])
def test_the_time_column_has_other_names(tmp_path: Path, header: str) -> None:
    candles = read(tmp_path, HEADER.replace("opened_at", header).replace("close", " Close") + ROW_1)

    assert candles.index.name == "opened_at"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a CSV file with a header"),
        (HEADER, "has no candles below its header"),
        ("opened_at,open,high,low,last\n", "has no candles below its header"),
        (HEADER.replace("close", "last") + ROW_1, "Missing columns: close. The header has opened_at, open"),
        (
            HEADER.replace("opened_at", "when") + ROW_1,
            "Missing columns: opened_at or timestamp or date or time.",
        ),
        (HEADER.replace("low", "Open") + ROW_1, "Missing columns: low"),
        (HEADER.strip() + ",Close\n" + ROW_1.strip() + ",3\n", "The header has close more than once"),
        (HEADER + ROW_2 + ROW_1, "Row 2: 2026-01-01 00:00:00+00:00 does not come after"),
        (HEADER + ROW_1 + ROW_1, "sort the file by time, oldest first, each candle once"),
        (HEADER + ROW_1 + ROW_2.replace(",7", ","), "Row 2: volume is empty or not a number (nan)"),
        (HEADER + ROW_1.replace("11", "eleven"), "Row 1: close is empty or not a number (eleven)"),
        (HEADER + ROW_1.replace("11", "inf"), "Row 1: close is empty or not a number (inf)"),
        (HEADER + ROW_1.replace(",9,", ",0,"), "Row 1: prices must be above zero"),
        (HEADER + ROW_1.replace(",5", ",-5"), "Row 1: prices must be above zero and the volume"),
        (HEADER + ROW_1.replace(",12,", ",10,"), "Row 1: open and close must lie between low and high"),
        (HEADER + ROW_1 + ROW_2.replace("2026-01-01T01:00:00Z", "noon"), "Row 2: noon is no time"),
        (HEADER + ROW_1.replace("2026-01-01T00:00:00Z", "-1"), "Row 1: the time is empty or below zero"),
        (HEADER + ROW_1.replace("2026-01-01T00:00:00Z", "1" * 18), "is no time; write epoch seconds"),
    ],
)
def test_a_wrong_candle_file_says_where_and_what_to_change(tmp_path: Path, text: str, message: str) -> None:
    assert message in candle_error(tmp_path, text)


def test_a_missing_candle_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CandleFileError, match=r"No file at .*nothing\.csv"):
        read_candles(tmp_path / "nothing.csv")


def test_a_binary_candle_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(b"PAR1\xff\xfe\x00")

    with pytest.raises(CandleFileError):
        read_candles(path)
