import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import bot_sdk.examples
from bot_sdk.backtest import Backtest, Setup, run
from bot_sdk.backtest_report import report
from bot_sdk.bot_file import load_bot_class
from bot_sdk.checks import CheckResult
from bot_sdk.cli import main
from bot_sdk.configs import RiskConfig
from bot_sdk.desk import Terms
from bot_sdk.gate_text import as_lines, conclusion, refusals
from bot_sdk.history import History, with_indicators
from bot_sdk.indicators import INDICATORS
from bot_sdk.metric_table import METRICS
from tests.bot_sdk.samples import candles_of, make_execution, make_rules, wavy_candles

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

    heading, *fills = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert fills
    for fill in fills:
        assert fill.index("Trend ") == heading.index("reason")


def test_the_summary_adds_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bot, path = tmp_path / "always.py", tmp_path / "candles.csv"
    bot.write_text(
        "from bot_sdk import Action, CustomBot\n"
        "class Always(CustomBot):\n"
        "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
        "        return Action('BUY' if len(data) == 1 else 'SELL', data['close'].iloc[-1])\n"
    )
    candles_of([90, 100, 110, 120]).to_csv(path)

    main(["run", str(bot), str(path), "--warm-up", "1", "--capital", "1000", "--slippage-percent", "0"])

    # Wishes are filled at the next open: 1 at 100 with a fee of 0.10, sold at 110 with one of 0.11.
    assert [line.split() for line in capsys.readouterr().out.splitlines()[-10:]] == [
        ["2026-01-01", "01:00", "BUY", "100.00000000", "1.00000000", "999.90"],
        ["2026-01-01", "02:00", "SELL", "110.00000000", "1.00000000", "1009.79"],
        [],
        ["candles", "4"],
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


@pytest.mark.parametrize("command", ["run", "backtest"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "fast_length"], "expected name=value such as rsi_oversold=25"),
        (["--capital", "0"], "expected an amount above zero such as 10000, not '0'"),
        (["--capital", "much"], "expected an amount above zero"),
        (["--pair", "BTCUSDT"], "expected base/quote such as BTC/USDT"),
        (["--warm-up", "0"], "expected a whole number from 1"),
        (["--timeframe", "2h"], "invalid choice: '2h'"),
        (["--buy", "101%"], "expected a size such as 10%, 500 or all, not '101%'"),
        (["--buy", "half"], "expected a size such as 10%, 500 or all"),
        (["--fee-percent", "100"], "expected a percentage from 0 to below 100 such as 0.1, not '100'"),
        (["--slippage-percent", "-1"], "expected a percentage from 0 to below 100"),
        (["--stop-loss", "0"], "expected a number above zero such as 5, not '0'"),
        (["--stop-loss", "120"], "stop_loss_percent: Enter 100 or less, not 120."),
        (["--fill-at", "open"], "invalid"),
        (["--timeframe", "5m"], "The candles are 1h apart, not 5m: pass --timeframe 1h."),
        (["--warm-up", "301"], "begin at 300 or less"),
    ],
)
def test_a_wrong_argument_says_what_to_pass(
    candles: str, capsys: pytest.CaptureFixture[str], command: str, arguments: list[str], message: str
) -> None:
    assert message in refused(capsys, command, CROSS_BOT, candles, *arguments)


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


def backtested(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["backtest", *arguments]) == 0
    return capsys.readouterr().out


def test_a_backtest_prints_every_metric_and_what_is_assumed(
    candles: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    output = backtested(capsys, CROSS_BOT, candles, "--buy", "all", "--stop-loss", "5")

    lines = output.splitlines()
    assert all(any(line.startswith(f"  {metric.label} ") for line in lines) for metric in METRICS)
    assert "  Compound annual growth                       n/a" in lines
    assert re.search(r"^  Total return +-?\d+\.\d\d %$", output, re.MULTILINE)
    assert re.search(r"^  Fees of trades +\d+\.\d\d USDT$", output, re.MULTILINE)
    assert "0.05 % worse than that price" in output.split("Assumptions")[1]
    assert "The bot failed" not in output


def test_on_a_wide_terminal_the_metrics_stand_in_two_columns(
    candles: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")

    figures = backtested(capsys, CROSS_BOT, candles).split("Assumptions")[0]

    assert all(metric.label in figures for metric in METRICS)
    assert len(figures.splitlines()) < len(METRICS)
    assert max(map(len, figures.splitlines()[1:])) < 120


def test_run_and_backtest_come_to_the_same_figures(candles: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [RSI_BOT, candles, "--warm-up", "50", "--trailing-stop", "3", "--fill-at", "close"]

    output = backtested(capsys, *arguments)

    main(["run", *arguments])
    assert capsys.readouterr().out.rstrip().split("\n\n")[-1] in output


def test_options_reach_the_terms(tmp_path: Path, candles: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    options = ["--fee-percent", "0.2", "--slippage-percent", "0.3", "--fill-at", "close", "--buy", "500"]

    backtested(capsys, CROSS_BOT, candles, *options, "--take-profit", "2", "--json", str(path))

    report = json.loads(path.read_text())
    assert "filled at the close" in report["assumptions"][0]
    assert "0.3 % worse" in report["assumptions"][0]
    assert " 0.2 % of the cost" in report["assumptions"][1]
    assert report["trades"][0]["amount"] * report["trades"][0]["entry_price"] == pytest.approx(500)
    assert {fill["source"] for fill in report["fills"]} == {"bot", "take_profit"}


def test_smaller_candles_say_what_came_first_inside_a_candle(
    tmp_path: Path, candles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = wavy_candles(300)
    halves = pd.concat([frame, frame.set_axis(frame.index + pd.Timedelta(minutes=30))]).sort_index()
    detail = tmp_path / "detail.csv"
    halves.to_csv(detail)

    output = backtested(capsys, CROSS_BOT, candles, "--detail", str(detail))

    assert "as the smaller candles inside it do" in output
    message = refused(capsys, "backtest", CROSS_BOT, candles, "--detail", candles)
    assert "The candles of --detail are 0 days 01:00:00 apart: use those of a timeframe" in message


def test_a_backtest_goes_on_where_the_bot_fails_and_names_the_first_candle(
    tmp_path: Path, candles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = tmp_path / "broken.py"
    bot.write_text(
        "from bot_sdk import CustomBot\n"
        "class Broken(CustomBot):\n"
        "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
        "        return data['rsi_14'].iloc[-1]\n"
    )

    output = backtested(capsys, str(bot), candles)

    assert output.splitlines()[-2:] == [
        "The bot failed on 101 candles, first on that of 2026-01-09 07:00 UTC:",
        f"KeyError: 'rsi_14' ({bot}, line 4)",
    ]
    assert "skipped  101 bot_failed" in output


def test_a_report_that_cannot_be_written_is_explained(
    tmp_path: Path, candles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "report.json"

    message = refused(capsys, "backtest", CROSS_BOT, candles, "--json", str(path))

    assert message == f"error: {path} cannot be written (No such file or directory): pass another --json.\n"


def all_of(terminal: int) -> bytes:
    """Return what programs wrote there until the last of them ended, and close it."""
    pieces = []
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as screen:  # EIO says that they ended
        while piece := screen.read(4096):
            pieces.append(piece)
    return b"".join(pieces)


def test_progress_is_drawn_on_a_terminal_only(candles: str, tmp_path: Path) -> None:
    bot = tmp_path / "slow.py"
    bot.write_text(
        "import time\n"
        "from bot_sdk import Action, CustomBot\n"
        "class Slow(CustomBot):\n"
        "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
        "        time.sleep(0.01)\n"
        "        return Action('HOLD', 1.0)\n"
    )
    ours, theirs = os.openpty()

    command = [sys.executable, "-m", "bot_sdk", "backtest", str(bot), candles]
    with ThreadPoolExecutor(1) as pool, (tmp_path / "told").open("wb") as output:
        reading = pool.submit(all_of, ours)
        try:
            subprocess.run(command, cwd=ROOT, stdout=output, stderr=theirs, check=True, timeout=300)
        finally:
            os.close(theirs)
        drawn = reading.result().decode()

    assert re.match("\r[█░]{40} +\\d+%", drawn)
    assert drawn.endswith("\r\x1b[K")
    assert b"\r" not in (tmp_path / "told").read_bytes()


def test_every_indicator_is_listed_with_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["indicators"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [tuple(line.split(maxsplit=1)) for line in lines] == list(INDICATORS.items())


def test_with_a_markets_steps_the_figures_are_those_of_the_platforms_own_loop(
    tmp_path: Path, candles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    steps = ("--price-tick", "0.01", "--amount-step", "0.001", "--minimum-cost", "10")
    backtested(capsys, RSI_BOT, candles, *steps, "--slippage-percent", "0", "--json", str(path))
    terms = Terms(capital=Decimal(10_000), rules=make_rules(), execution=make_execution(), risk=RiskConfig())
    history = History(with_indicators(wavy_candles(300), "1h"), "1h", first=199)

    ours = Backtest(history, Setup("BINANCE", "BTC/USDT", "1h", terms, {}))
    run(load_bot_class(Path(RSI_BOT)), ours, code=Path(RSI_BOT).read_bytes())

    assert ours.desk.fills
    assert json.loads(path.read_text())["fills"] == report(ours)["fills"]
    assert json.loads(path.read_text())["summary"] == report(ours)["summary"]


# --- new and check ------------------------------------------------------------------------------------------


def test_a_new_bot_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mybot.py"

    assert main(["new", str(path)]) == 0
    path.write_text("# mine")

    assert "is there already" in refused(capsys, "new", str(path))
    assert path.read_text() == "# mine"
    assert "ends in .py" in refused(capsys, "new", str(tmp_path / "mybot.txt"))


def test_a_check_names_the_line_and_says_how_to_mend_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mybot.py"
    path.write_text(Path(CROSS_BOT).read_text() + "import os\n")
    last_line = path.read_text().count("\n")

    assert main(["check", str(path)]) == 1

    said = " ".join(capsys.readouterr().out.split())
    assert "source ok The file is Python in UTF-8." in said
    assert "policy NO 1 finding to mend." in said
    assert f"mybot.py:{last_line}: import, mend: `os` reaches" in said
    assert "How to mend it: Go to each line that is refused" in said
    assert "policy said no. Not taken because of that: load, models, dry_runs," in said


def test_a_check_coaches_about_its_candles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "candles.csv"
    wavy_candles(160).to_csv(path)

    assert "a warm_up of 151 needs 171" in refused(capsys, "check", CROSS_BOT, str(path))
    assert "pass the path of the bot's Python file" in refused(capsys, "check", str(tmp_path / "none.py"))


def test_a_no_that_is_advice_keeps_no_bot_out() -> None:
    results = {code: CheckResult(code, False, "It is so.") for code in ("statelessness", "warm_up")}

    assert refusals(results) == ["warm_up"]
    assert next(iter(as_lines(results["statelessness"], Path("mybot.py")))).split()[1] == "look"
    assert conclusion(results).startswith("warm_up said no.")


def test_a_bot_finds_its_files_in_a_run(
    tmp_path: Path, candles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bot, model = tmp_path / "model_bot.py", tmp_path / "weights.json"
    bot.write_text(
        "from bot_sdk import Action, CustomBot\n"
        "class ModelBot(CustomBot):\n"
        "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
        "        return Action('BUY', self.config['models']['WEIGHTS']['level'], 'as the model says')\n"
    )
    model.write_text('{"level": 7}')

    assert main(["run", str(bot), candles, "--file", f"WEIGHTS={model}"]) == 0

    assert "as the model says" in capsys.readouterr().out
    assert "KIND=PATH" in refused(capsys, "run", str(bot), candles, "--file", "weights.json")
