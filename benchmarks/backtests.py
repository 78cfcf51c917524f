"""A backtest from the command line against the same strategy in backtesting.py: CPU time of whole processes.

Both read the same CSV file, and their trades are compared before anything is timed. Ours also computes every
indicator, sizes orders by the market's rules and reports every metric; theirs computes its own statistics.
Runs alternate; a ratio is the median of theirs, with the least and the largest.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import bot_sdk.examples
from tests.bot_sdk import peers
from tests.bot_sdk.peers.histories import made_candles, real_candles

CANDLES = 100_000
PAIRS = 5  # after one that nobody counts
ROOT = Path(__file__).parents[1]
PEERS = Path(peers.__path__[0])
BOTS = {
    "rsi": Path(bot_sdk.examples.__path__[0]) / "rsi_bot.py",
    "sma_cross": PEERS / "sma_cross.py",
    "bollinger": PEERS / "bollinger.py",
}


def report() -> None:
    candles = real_candles(CANDLES)
    print(f"CPU seconds of a whole backtest of {CANDLES:,} {'made' if candles is None else 'real'} candles")
    print("strategy     trades     ours   backtesting.py   ratio")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "candles.csv"
        (made_candles(CANDLES) if candles is None else candles).to_csv(path)
        for strategy in BOTS:
            _compare(strategy, path)
    if shutil.which("freqtrade") is None:
        print("freqtrade is not installed here, so `freqtrade backtesting` was not compared.")
    print()


def _compare(strategy: str, candles: Path) -> None:
    ours, theirs = candles.with_name("ours.json"), candles.with_name("theirs.json")
    # No fee and no slippage; a capital that is all spent, as theirs is, but for what buys nothing.
    options = ["--fee-percent", "0", "--slippage-percent", "0", "--buy", "all", "--capital", "1000000000"]
    our_command = ["-m", "bot_sdk", "backtest", str(BOTS[strategy]), str(candles), *options]
    their_command = [str(PEERS / "backtesting_script.py"), strategy, str(candles), str(theirs)]

    _cpu_seconds([*our_command, "--json", str(ours)])
    _cpu_seconds(their_command)
    trades = json.loads(ours.read_text())["trades"]
    expected = json.loads(theirs.read_text())
    times = [[trade["opened_at"], trade["closed_at"]] for trade in trades]
    is_equal = times == [[entered, left] for entered, _, left, _ in expected]

    pairs = [(_cpu_seconds(our_command), _cpu_seconds(their_command)) for _ in range(PAIRS)]
    ratios = sorted(one / other for one, other in pairs)
    mine, other = (median(side) for side in zip(*pairs, strict=True))
    equal = (
        f"{len(trades):6}" if is_equal else f"{len(trades):6} (not those {len(expected)} of backtesting.py)"
    )
    span = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"{strategy:10} {equal}   {mine:6.2f}   {other:14.2f}   {median(ratios):.2f} ({span})")


def _cpu_seconds(arguments: list[str]) -> float:
    # With compiled modules, as on a machine where both have run before.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with exit status {process.returncode}.")
    return used.ru_utime + used.ru_stime
