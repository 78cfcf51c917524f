"""The command line: run a bot on a CSV file of candles, list the indicators."""

import argparse
import json
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pandas as pd

from bot_sdk.action import HOLD
from bot_sdk.bot import CustomBot
from bot_sdk.bot_file import BotFileError, load_bot_class
from bot_sdk.candle_file import CandleFileError, read_candles
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.indicators import INDICATORS, WARM_UP_CANDLES, add_indicators
from bot_sdk.market_rules import MarketRules
from bot_sdk.parameters import ConfigError, validate
from bot_sdk.simulation import BotFailed, Setup, Step, Summary, simulate, summarize
from bot_sdk.timeframes import TIMEFRAMES, duration

_RULES = MarketRules(
    price_tick=Decimal("0.00000001"),
    amount_step=Decimal("0.00000001"),
    minimum_amount=Decimal("0.00000001"),
    minimum_cost=Decimal(0),
    taker_fee_fraction=Decimal("0.001"),
)
_EXECUTION = ExecutionConfig.parse(
    {"buy_order_type": "PERCENTAGE", "buy_order_value": 10, "sell_order_type": "ALL"}
)
_MINUTE = "%Y-%m-%d %H:%M"


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
    run = commands.add_parser(
        "run",
        help="run a bot on a CSV file of candles",
        description="Run a bot candle by candle: each BUY spends 10 % of the capital, each SELL sells all, "
        "filled at the candle's close with a fee of 0.1 %.",
    )
    run.set_defaults(command=_run)
    run.add_argument("bot", type=Path, help="the bot's Python file")
    run.add_argument(
        "candles", type=Path, help="CSV: opened_at (or timestamp, date), open, high, low, close, volume"
    )
    run.add_argument("--timeframe", choices=TIMEFRAMES, default="1h", help="of the candles (default: 1h)")
    run.add_argument("--capital", type=_capital, default=Decimal(10000), help="in quote (default: 10000)")
    run.add_argument("--pair", type=_pair, default="BTC/USDT", help="base/quote (default: BTC/USDT)")
    run.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        type=_setting,
        action="append",
        default=[],
        help="one of the bot's parameters; repeat it for more",
    )
    run.add_argument(
        "--warm-up",
        metavar="CANDLES",
        type=_count,
        default=WARM_UP_CANDLES,
        help=f"first candle that the bot decides on (default: {WARM_UP_CANDLES}, for every indicator)",
    )
    listing = commands.add_parser("indicators", help="list the columns that a bot finds in its data")
    listing.set_defaults(command=_list_indicators)
    return parser


def _run(options: argparse.Namespace) -> None:
    bot_class = load_bot_class(options.bot)
    candles = read_candles(options.candles)
    _check_fit(candles, options.timeframe, options.warm_up)
    setup = Setup(
        exchange="BINANCE",
        trading_pair=options.pair,
        timeframe=options.timeframe,
        capital=options.capital,
        rules=_RULES,
        execution=_EXECUTION,
        risk=RiskConfig(),
        config=_config(bot_class, dict(options.settings)),
    )
    print(_heading(bot_class, candles, setup))
    steps = []
    for step in simulate(bot_class, add_indicators(candles), setup, warm_up=options.warm_up):
        steps.append(step)
        if step.signal.action != HOLD:
            print(_line(step))
    print(_closing(summarize(steps, setup.capital), setup))


def _list_indicators(options: argparse.Namespace) -> None:  # noqa: ARG001  every command takes the options
    width = max(len(name) for name in INDICATORS)
    for name, description in INDICATORS.items():
        print(f"{name:<{width}}  {description}")


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


def _config(bot_class: type[CustomBot], settings: dict[str, Any]) -> dict[str, Any]:
    """Check the settings against the bot's parameters; a bot that declares none takes them as they are."""
    return validate(bot_class.parameters, settings) if bot_class.parameters else settings


def _heading(bot_class: type[CustomBot], candles: pd.DataFrame, setup: Setup) -> str:
    first, last = candles.index[0], candles.index[-1]
    settings = ", ".join(f"{name}={value}" for name, value in setup.config.items()) or "its own defaults"
    return (
        f"{bot_class.__name__} on {setup.trading_pair} {setup.timeframe}, {len(candles)} candles, "
        f"{first:{_MINUTE}} to {last:{_MINUTE}} UTC, with {settings}\n\n"
        f"{'opened at (UTC)':<16}  {'action':<6}  {'price':>16}  {'amount':>16}  {'equity':>14}  reason"
    )


def _line(step: Step) -> str:
    return (
        f"{step.opened_at:{_MINUTE}}  {step.signal.action:<6}  {step.price:>16.8f}  "
        f"{step.signal.amount:>16.8f}  {step.holding.equity(step.price):>14.2f}  {step.signal.reason}"
    )


def _closing(summary: Summary, setup: Setup) -> str:
    quote = setup.trading_pair.split("/")[1]
    skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(summary.skips.items())) or "none"
    return "\n".join(
        [
            "",
            f"candles  {summary.candles:>14}",
            f"buys     {summary.buys:>14}",
            f"sells    {summary.sells:>14}",
            f"fees     {summary.fees:>14.2f} {quote}",
            f"equity   {summary.equity:>14.2f} {quote}",
            f"return   {summary.return_percent:>+14.2f} %",
            f"skipped  {skipped}",
        ]
    )


def _capital(text: str) -> Decimal:
    try:
        capital = Decimal(text)
    except InvalidOperation:
        capital = Decimal(0)
    if not capital.is_finite() or capital <= 0:
        raise argparse.ArgumentTypeError(f"expected an amount above zero such as 10000, not {text!r}")
    return capital


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
