"""The command line: begin a bot, run, backtest and check it on candles, list the indicators."""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from bot_sdk.backtest import Backtest, Setup, run, simulate, summarize
from bot_sdk.backtest_report import report
from bot_sdk.backtest_text import as_text, closing
from bot_sdk.bot import CustomBot
from bot_sdk.bot_file import BotFileError, load_bot_class
from bot_sdk.bot_loop import BotFailed
from bot_sdk.candle_file import CandleFileError
from bot_sdk.checks import HistoryTooShort
from bot_sdk.cli_options import (
    UsageError,
    add_bot_options,
    add_trading_options,
    history_of,
    terms_of,
)
from bot_sdk.gate import EXCHANGE, Candidate, take_each
from bot_sdk.gate_text import as_lines, conclusion, refusals
from bot_sdk.indicators import INDICATORS
from bot_sdk.ledger import Holding, apply_fill
from bot_sdk.model_files import ModelFileError, named
from bot_sdk.parameters import ConfigError, validate
from bot_sdk.progress_line import progress_line
from bot_sdk.runner import RunUnavailable
from bot_sdk.sample_markets import REFERENCE, Scene, reference_scene
from bot_sdk.trades import Fill
from bot_sdk.trials import SAMPLES

COMMAND = "python -m bot_sdk"
_MINUTE = "%Y-%m-%d %H:%M"
_MISTAKES = (
    BotFailed,
    BotFileError,
    CandleFileError,
    ConfigError,
    HistoryTooShort,
    ModelFileError,
    RunUnavailable,
    UsageError,
)


def command() -> NoReturn:
    """Run the command of this process, as `python -m bot_sdk` and `bot-sdk` do."""
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments` (the process's own when None) and return its exit status.

    That is 0, or 1 when something is wrong with what was given or a step of the gate says no.
    """
    options = _parser().parse_args(arguments)
    try:
        is_fine = options.command(options)
    except _MISTAKES as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if is_fine else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description=f"Try a trading bot on your own machine. Begin with `{COMMAND} new mybot.py`, then run, "
        "backtest and check mybot.py.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    beginning = commands.add_parser("new", help="write a bot to begin with", description="Write a small bot.")
    beginning.set_defaults(command=_new)
    beginning.add_argument("bot", type=Path, help="the Python file to write, such as mybot.py")
    running = commands.add_parser(
        "run",
        help="run a bot on candles and print each order",
        description="Run a bot candle by candle and print each order. Stops at the first candle on which the "
        "bot fails.",
    )
    running.set_defaults(command=_run)
    add_bot_options(running)
    add_trading_options(running)
    backtest = commands.add_parser(
        "backtest",
        help="run a bot on candles and measure it",
        description="Run a bot candle by candle and print its figures. Goes on where the bot fails.",
    )
    backtest.set_defaults(command=_backtest)
    add_bot_options(backtest)
    add_trading_options(backtest)
    backtest.add_argument("--json", type=Path, metavar="FILE", help="write the whole report there as well")
    checking = commands.add_parser(
        "check",
        help="put a bot through the steps that a marketplace takes before it lists one",
        description="Take every step of a marketplace's gate that needs no marketplace, with the same "
        "answers: read the code, load it, try it on odd markets, ask it twice, change the future. The code "
        "runs in processes of its own, and is not confined. A candle file should have a few hundred candles "
        "more than the bot's warm_up. Ends with status 1 when a step says no.",
    )
    checking.set_defaults(command=_check)
    add_bot_options(checking)
    listing = commands.add_parser("indicators", help="list the columns that a bot finds in its data")
    listing.set_defaults(command=_list_indicators)
    return parser


def _new(options: argparse.Namespace) -> bool:
    path: Path = options.bot
    if path.suffix != ".py":
        raise UsageError(f"A bot is a Python file: give {path} a name that ends in .py.")
    text = resources.files("bot_sdk.examples").joinpath("first_bot.py").read_text()
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already: pass another name, or remove it.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): pass another name.") from error
    print(f"Wrote {path}. Next: {COMMAND} run {path}; then backtest it, and check it.")
    return True


def _run(options: argparse.Namespace) -> bool:
    bot_class, backtest = _opened(options)
    print(_heading(bot_class, backtest))
    print(f"\n{'at (UTC)':<16}  {'action':<6}  {'price':>16}  {'amount':>16}  {'equity':>14}  reason")
    ledger = _PrintedLedger(backtest)
    for _ in simulate(bot_class, backtest, code=options.bot.read_bytes(), models=_models(options)):
        ledger.print_new()
    ledger.print_new()
    print(f"\n{closing(summarize(backtest), _quote(backtest))}")
    return True


def _backtest(options: argparse.Namespace) -> bool:
    bot_class, backtest = _opened(options)
    print(_heading(bot_class, backtest))
    with progress_line(lambda: backtest.row / len(backtest.history)):
        run(bot_class, backtest, code=options.bot.read_bytes(), models=_models(options))
    found = report(backtest)
    print(f"\n{closing(summarize(backtest), _quote(backtest))}")
    print(f"\n{as_text(found, _quote(backtest))}")
    if options.json:
        _write(options.json, json.dumps(found, indent=2, allow_nan=False) + "\n")
    return True


def _check(options: argparse.Namespace) -> bool:
    from bot_sdk import own_process  # noqa: PLC0415  needs what Windows has not

    if not options.bot.is_file():
        raise UsageError(f"No file at {options.bot}: pass the path of the bot's Python file.")
    candidate = Candidate(
        code=options.bot.read_bytes(),
        runner=own_process,
        models=tuple(options.files),
        scene=lambda warm_up: _scene(options, warm_up),
        settings=dict(options.settings),
    )
    print(f"Checking {options.bot} on {options.candles or 'a made-up market'} and in dry runs\n")
    results = {}
    for result in take_each(candidate):
        results[result.code] = result
        print(*as_lines(result, options.bot), sep="\n", flush=True)
    print(f"\n{conclusion(results)}")
    return not refusals(results)


def _list_indicators(options: argparse.Namespace) -> bool:  # noqa: ARG001  every command takes the options
    width = max(len(name) for name in INDICATORS)
    for name, description in INDICATORS.items():
        print(f"{name:<{width}}  {description}")
    return True


class _PrintedLedger:
    """Prints each fill once, with the equity that it left."""

    def __init__(self, backtest: Backtest) -> None:
        self._fills = backtest.desk.fills
        self._printed = 0
        self._holding = Holding.start(backtest.setup.terms.capital)

    def print_new(self) -> None:
        for fill in self._fills[self._printed :]:
            self._holding = apply_fill(self._holding, fill.side, fill.amount, fill.price, fill.fee)
            print(_line(fill, self._holding))
        self._printed = len(self._fills)


def _line(fill: Fill, holding: Holding) -> str:
    return (
        f"{fill.at:{_MINUTE}}  {fill.side:<6}  {fill.price:>16.8f}  {fill.amount:>16.8f}  "
        f"{holding.equity(fill.price):>14.2f}  {fill.reason}"
    )


def _opened(options: argparse.Namespace) -> tuple[type[CustomBot], Backtest]:
    """Return the bot, and the backtest that the options ask for, at its first candle."""
    bot_class = load_bot_class(options.bot)
    config = _config(bot_class, dict(options.settings))
    history = history_of(options, options.warm_up or bot_class.warm_up, detail=options.detail)
    return bot_class, Backtest(
        history, Setup(EXCHANGE, options.pair, options.timeframe, terms_of(options), config)
    )


def _scene(options: argparse.Namespace, warm_up: int) -> Scene:
    if options.candles is None:
        return reference_scene(warm_up)
    history = history_of(options, warm_up)
    least = warm_up + SAMPLES
    if len(history) < least:
        raise UsageError(
            f"The file has {len(history)} candles, and a check of a bot with a warm_up of {warm_up} needs "
            f"{least}, better a few hundred more: use a longer file."
        )
    return Scene(str(options.candles), options.pair, history, REFERENCE.terms())


def _models(options: argparse.Namespace) -> dict[str, object] | None:
    return named(options.files) if options.files else None


def _config(bot_class: type[CustomBot], settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings against the bot's parameters; a bot that declares none takes them as they are."""
    return validate(bot_class.parameters, settings) if bot_class.parameters else settings


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): pass another --json.") from error


def _heading(bot_class: type[CustomBot], backtest: Backtest) -> str:
    setup, index = backtest.setup, backtest.history.index
    settings = ", ".join(f"{name}={value}" for name, value in setup.config.items()) or "its own defaults"
    return (
        f"{bot_class.__name__} on {setup.trading_pair} {setup.timeframe}, {len(index)} candles, "
        f"{index[0]:{_MINUTE}} to {index[-1]:{_MINUTE}} UTC, with {settings}"
    )


def _quote(backtest: Backtest) -> str:
    return backtest.setup.trading_pair.split("/")[1]
