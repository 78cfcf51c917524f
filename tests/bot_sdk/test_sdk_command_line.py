import subprocess
import sys
from pathlib import Path

import pytest

import bot_sdk.examples
from bot_sdk.cli import main
from bot_sdk.indicators import INDICATORS
from tests.bot_sdk.samples import candles_of, wavy_candles

ROOT = Path(__file__).parents[2]
EXAMPLES = Path(bot_sdk.examples.__path__[0])
RSI_BOT = str(EXAMPLES / "rsi_bot.py")
CROSS_BOT = str(EXAMPLES / "moving_average_cross.py")


@pytest.fixture
def candles(tmp_path: Path) -> str:
    path = tmp_path / "candles.csv"
    wavy_candles(300).to_csv(path)
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what the refused command said."""
    try:
        status: int | str | None = main(arguments)
    except SystemExit as exit_:
        status = exit_.code
    assert status in (1, 2)
    return capsys.readouterr().err


def test_the_guides_bot_runs_from_the_command_line(candles: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "bot_sdk",
            "run",
            RSI_BOT,
            candles,
            "--timeframe",
            "1h",
            "--warm-up",
            "50",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "RSIBot on BTC/USDT 1h, 300 candles, 2026-01-01 00:00 to 2026-01-13 11:00 UTC"
    )
    assert "  BUY " in done.stdout
    assert "  SELL " in done.stdout
    assert "HOLD" not in done.stdout


def test_the_columns_are_aligned(candles: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", CROSS_BOT, candles])

    heading, *steps = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert steps
    for step in steps:
        assert step.index("Trend ") == heading.index("reason")


def test_the_summary_adds_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bot, path = tmp_path / "always.py", tmp_path / "candles.csv"
    bot.write_text(
        "from bot_sdk import Action, CustomBot\n"
        "class Always(CustomBot):\n"
        "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
        "        return Action('BUY' if len(data) == 1 else 'SELL', data['close'].iloc[-1])\n"
    )
    candles_of([100, 110, 120]).to_csv(path)

    main(["run", str(bot), str(path), "--warm-up", "1", "--capital", "1000"])

    # 1 bought at 100 with a fee of 0.10, sold at 110 with one of 0.11.
    assert [line.split() for line in capsys.readouterr().out.splitlines()[-7:]] == [
        ["candles", "3"],
        ["buys", "1"],
        ["sells", "1"],
        ["fees", "0.21", "USDT"],
        ["equity", "1009.79", "USDT"],
        ["return", "+0.98", "%"],
        ["skipped", "1", "no_position"],
    ]


def test_settings_reach_the_bot(candles: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", CROSS_BOT, candles, "--set", "fast_length=3", "--pair", "ETH/BTC"])

    output = capsys.readouterr().out
    assert "with fast_length=3, slow_length=13" in output
    assert " BTC\n" in output


def test_a_bot_without_declared_parameters_takes_any_setting(
    candles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", RSI_BOT, candles, "--set", "rsi_oversold=0", "--set", "mode=calm"])

    output = capsys.readouterr().out
    assert "with rsi_oversold=0, mode=calm" in output
    assert "RSI oversold" not in output


def test_a_wrong_setting_is_explained(candles: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "run", CROSS_BOT, candles, "--set", "fast_length=much")

    assert message == "error: fast_length: Enter a whole number, not 'much'.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "fast_length"], "expected name=value such as rsi_oversold=25"),
        (["--capital", "0"], "expected an amount above zero such as 10000, not '0'"),
        (["--capital", "much"], "expected an amount above zero"),
        (["--pair", "BTCUSDT"], "expected base/quote such as BTC/USDT"),
        (["--warm-up", "0"], "expected a whole number from 1"),
        (["--timeframe", "2h"], "invalid choice: '2h'"),
        (["--timeframe", "5m"], "The candles are 1h apart, not 5m: pass --timeframe 1h."),
        (["--warm-up", "301"], "pass --warm-up 300 or less"),
    ],
)
def test_a_wrong_argument_says_what_to_pass(
    candles: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refused(capsys, "run", CROSS_BOT, candles, *arguments)


def test_candles_of_no_known_timeframe_name_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "candles.csv"
    candles_of(range(1, 9)).iloc[::2].to_csv(path)

    message = refused(capsys, "run", RSI_BOT, str(path), "--warm-up", "1")

    assert "The candles are 0 days 02:00:00 apart, not 1h: use candles of 1m, 5m" in message


def test_a_file_that_is_missing_is_named(candles: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No file at nothing.py" in refused(capsys, "run", "nothing.py", candles)
    assert "No file at nothing.csv" in refused(capsys, "run", RSI_BOT, "nothing.csv")


def test_a_bot_that_raises_ends_the_run_with_the_candle_and_the_line(
    tmp_path: Path, candles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = tmp_path / "broken.py"
    bot.write_text(
        "from bot_sdk import CustomBot\n"
        "class Broken(CustomBot):\n"
        "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
        "        return data['rsi_14'].iloc[-1]\n"
    )

    message = refused(capsys, "run", str(bot), candles)

    assert "The bot failed at the candle of 2026-01-09 07:00:00+00:00: KeyError: 'rsi_14'" in message
    assert f"({bot}, line 4)" in message


def test_every_indicator_is_listed_with_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["indicators"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [tuple(line.split(maxsplit=1)) for line in lines] == list(INDICATORS.items())
