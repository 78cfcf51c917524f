"""The command line: run or backtest a bot on a CSV file of candles, list the indicators."""

import argparse
import json
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pandas as pd

from bot_sdk.backtest import Backtest, Setup, run, simulate, summarize
from bot_sdk.backtest_report import report
from bot_sdk.backtest_text import as_text, closing
from bot_sdk.bot import CustomBot
from bot_sdk.bot_file import BotFileError, load_bot_class
from bot_sdk.bot_loop import BotFailed
from bot_sdk.candle_file import CandleFileError, read_candles
from bot_sdk.configs import ALL, FIXED, PERCENTAGE, ExecutionConfig, RiskConfig
from bot_sdk.desk import USUAL_SLIPPAGE_PERCENT, FillAt, Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.indicators import INDICATORS, WARM_UP_CANDLES
from bot_sdk.ledger import Holding, apply_fill
from bot_sdk.market_rules import MarketRules
from bot_sdk.parameters import ConfigError, validate
from bot_sdk.progress_line import progress_line
from bot_sdk.timeframes import TIMEFRAMES, duration
from bot_sdk.trades import Fill

_STEP = Decimal("0.00000001")  # of prices and amounts: a file says nothing about its market
_MINUTE = "%Y-%m-%d %H:%M"
_EXITS = {
    "--stop-loss": ("stop_loss_percent", "sell so many percent below the entry"),
    "--take-profit": ("take_profit_percent", "sell so many percent above the entry"),
    "--trailing-stop": ("trailing_stop_percent", "sell so many percent below the highest price"),
    "--max-drawdown": (
        "max_drawdown_percent",
        "sell and stop buying so many percent below the highest equity",
    ),
}


class UsageError(ValueError):
    """The arguments do not fit together; the message says which to change."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments` (the process's own when None) and return its exit status, 0 or 1."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (BotFailed, BotFileError, CandleFileError, ConfigError, UsageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot_sdk", description="Try a trading bot on your own machine."
    )
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser(
        "run",
        help="run a bot on a CSV file of candles and print each order",
        description="Run a bot candle by candle and print each order. Stops at the first candle on which the "
        "bot fails.",
    )
    running.set_defaults(command=_run)
    _add_trading_options(running)
    backtest = commands.add_parser(
        "backtest",
        help="run a bot on a CSV file of candles and measure it",
        description="Run a bot candle by candle and print its figures. Goes on where the bot fails.",
    )
    backtest.set_defaults(command=_backtest)
    _add_trading_options(backtest)
    backtest.add_argument("--json", type=Path, metavar="FILE", help="write the whole report there as well")
    listing = commands.add_parser("indicators", help="list the columns that a bot finds in its data")
    listing.set_defaults(command=_list_indicators)
    return parser


def _add_trading_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bot", type=Path, help="the bot's Python file")
    parser.add_argument(
        "candles", type=Path, help="CSV: opened_at (or timestamp, date), open, high, low, close, volume"
    )
    parser.add_argument("--timeframe", choices=TIMEFRAMES, default="1h", help="of the candles (default: 1h)")
    parser.add_argument("--capital", type=_capital, default=Decimal(10000), help="in quote (default: 10000)")
    parser.add_argument("--pair", type=_pair, default="BTC/USDT", help="base/quote (default: BTC/USDT)")
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        type=_setting,
        action="append",
        default=[],
        help="one of the bot's parameters; repeat it for more",
    )
    parser.add_argument(
        "--warm-up",
        metavar="CANDLES",
        type=_count,
        default=WARM_UP_CANDLES,
        help=f"first candle that the bot decides on (default: {WARM_UP_CANDLES}, for every indicator)",
    )
    parser.add_argument(
        "--buy",
        metavar="SIZE",
        type=_buying,
        default="10%",
        help="what a BUY spends: 10%% of the capital, 500 in quote, or all (default: 10%%); a SELL sells all",
    )
    parser.add_argument(
        "--fee-percent", type=_percent, default=Decimal("0.1"), help="of each order's cost (default: 0.1)"
    )
    for name, what in (("price-tick", "a price, in quote"), ("amount-step", "an amount, in base")):
        parser.add_argument(
            f"--{name}", type=_capital, default=_STEP, help=f"the market's smallest step of {what}"
        )
    parser.add_argument(
        "--minimum-cost", type=_cost, default=Decimal(0), help="the market's smallest order, in quote"
    )
    parser.add_argument(
        "--slippage-percent",
        type=_percent,
        default=USUAL_SLIPPAGE_PERCENT,
        help=f"how much worse than the price an order is filled (default: {USUAL_SLIPPAGE_PERCENT})",
    )
    parser.add_argument(
        "--fill-at",
        type=FillAt,
        choices=list(FillAt),
        default=FillAt.NEXT_OPEN,
        help="the price of an order: the next candle's open, or this one's close (default: next_open)",
    )
    for flag, (name, meaning) in _EXITS.items():
        parser.add_argument(flag, dest=name, type=_number, metavar="PERCENT", help=meaning)
    parser.add_argument(
        "--detail",
        type=Path,
        metavar="CSV",
        help="candles of a smaller timeframe, which tell in which order prices came inside a candle",
    )


def _run(options: argparse.Namespace) -> None:
    bot_class = load_bot_class(options.bot)
    backtest = _opened(options, bot_class)
    print(_heading(bot_class, backtest))
    print(f"\n{'at (UTC)':<16}  {'action':<6}  {'price':>16}  {'amount':>16}  {'equity':>14}  reason")
    ledger = _PrintedLedger(backtest)
    for _ in simulate(bot_class, backtest, code=options.bot.read_bytes()):
        ledger.print_new()
    ledger.print_new()
    print(f"\n{closing(summarize(backtest), _quote(backtest))}")


def _backtest(options: argparse.Namespace) -> None:
    bot_class = load_bot_class(options.bot)
    backtest = _opened(options, bot_class)
    print(_heading(bot_class, backtest))
    with progress_line(lambda: backtest.row / len(backtest.history)):
        run(bot_class, backtest, code=options.bot.read_bytes())
    found = report(backtest)
    print(f"\n{closing(summarize(backtest), _quote(backtest))}")
    print(f"\n{as_text(found, _quote(backtest))}")
    if options.json:
        _write(options.json, json.dumps(found, indent=2, allow_nan=False) + "\n")


def _list_indicators(options: argparse.Namespace) -> None:  # noqa: ARG001  every command takes the options
    width = max(len(name) for name in INDICATORS)
    for name, description in INDICATORS.items():
        print(f"{name:<{width}}  {description}")


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


def _opened(options: argparse.Namespace, bot_class: type[CustomBot]) -> Backtest:
    """Return the backtest that the options ask for, at its first candle."""
    config = _config(bot_class, dict(options.settings))
    risk = {name: getattr(options, name) for name, _ in _EXITS.values()}
    terms = Terms(
        capital=options.capital,
        rules=MarketRules(
            price_tick=options.price_tick,
            amount_step=options.amount_step,
            minimum_amount=options.amount_step,
            minimum_cost=options.minimum_cost,
            taker_fee_fraction=options.fee_percent / 100,
        ),
        execution=ExecutionConfig.parse({**options.buy, "sell_order_type": ALL}),
        risk=RiskConfig.parse(risk),
        fill_at=options.fill_at,
        slippage_percent=options.slippage_percent,
    )
    candles = read_candles(options.candles)
    _check_fit(candles, options.timeframe, options.warm_up)
    history = History(
        with_indicators(candles, options.timeframe),
        options.timeframe,
        first=options.warm_up - 1,
        detail=None if options.detail is None else _detail(options.detail, options.timeframe),
    )
    return Backtest(history, Setup("BINANCE", options.pair, options.timeframe, terms, config))


def _check_fit(candles: pd.DataFrame, timeframe: str, warm_up: int) -> None:
    if len(candles) < warm_up:
        raise UsageError(
            f"The file has {len(candles)} candles and the bot first runs on candle {warm_up}: "
            f"use a longer file, or pass --warm-up {len(candles)} or less."
        )
    smallest_gap = candles.index.to_series().diff().min()
    if not pd.isna(smallest_gap) and smallest_gap != duration(timeframe):
        fitting = [known for known in TIMEFRAMES if duration(known) == smallest_gap]
        advice = f"pass --timeframe {fitting[0]}" if fitting else f"use candles of {', '.join(TIMEFRAMES)}"
        spacing = fitting[0] if fitting else smallest_gap
        raise UsageError(f"The candles are {spacing} apart, not {timeframe}: {advice}.")


def _detail(path: Path, timeframe: str) -> pd.DataFrame:
    candles = read_candles(path)
    smallest_gap = candles.index.to_series().diff().min()
    if pd.isna(smallest_gap) or duration(timeframe) % smallest_gap or smallest_gap >= duration(timeframe):
        raise UsageError(
            f"The candles of --detail are {smallest_gap} apart: use those of a timeframe of which several "
            f"make one of {timeframe}."
        )
    return candles


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


def _decimal(text: str) -> Decimal:
    """Return a finite number, and -1, which nothing here takes, for any other text."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal(-1)
    return number if number.is_finite() else Decimal(-1)


def _number(text: str) -> Decimal:
    return _checked(text, _decimal(text) > 0, "a number above zero such as 5")


def _capital(text: str) -> Decimal:
    return _checked(text, _decimal(text) > 0, "an amount above zero such as 10000")


def _cost(text: str) -> Decimal:
    return _checked(text, _decimal(text) >= 0, "an amount of zero or more such as 5")


def _percent(text: str) -> Decimal:
    return _checked(text, 0 <= _decimal(text) < 100, "a percentage from 0 to below 100 such as 0.1")


def _checked(text: str, is_right: bool, expected: str) -> Decimal:
    if not is_right:
        raise argparse.ArgumentTypeError(f"expected {expected}, not {text!r}")
    return Decimal(text)


def _buying(text: str) -> dict[str, Any]:
    """Return what "10%", "500" or "all" is in an execution config."""
    if text.lower() == "all":
        return {"buy_order_type": ALL}
    kind = PERCENTAGE if text.endswith("%") else FIXED
    value = _decimal(text.removesuffix("%"))
    if value <= 0 or (kind == PERCENTAGE and value > 100):
        raise argparse.ArgumentTypeError(f"expected a size such as 10%, 500 or all, not {text!r}")
    return {"buy_order_type": kind, "buy_order_value": value}


def _pair(text: str) -> str:
    base, _, quote = text.partition("/")
    if not base or not quote or "/" in quote:
        raise argparse.ArgumentTypeError(f"expected base/quote such as BTC/USDT, not {text!r}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, not {text!r}")
    return int(text)


def _setting(text: str) -> tuple[str, Any]:
    """Split "name=value"; the value is JSON (30, 2.5, true), and anything else is text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"expected name=value such as rsi_oversold=25, not {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
