"""What the command line's options mean: a bot, its candles, its settings, and the terms that it trades on."""

import argparse
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pandas as pd

from bot_sdk.candle_file import read_candles
from bot_sdk.configs import ALL, FIXED, PERCENTAGE, ExecutionConfig, RiskConfig
from bot_sdk.desk import USUAL_SLIPPAGE_PERCENT, FillAt, Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.market_rules import MarketRules
from bot_sdk.model_files import ModelFile
from bot_sdk.sample_markets import REFERENCE
from bot_sdk.timeframes import TIMEFRAMES, duration

KINDS = ("MODEL", "WEIGHTS", "CONFIG")
_SAMPLE_CANDLES = 2000
_STEP = Decimal("0.00000001")  # of prices and amounts: a file says nothing about its market
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


def add_bot_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command wants to know of a bot."""
    parser.add_argument("bot", type=Path, help="the bot's Python file")
    parser.add_argument(
        "candles",
        type=Path,
        nargs="?",
        help="CSV: opened_at (or timestamp, date), open, high, low, close, volume; without one a made-up "
        "market, the same each time",
    )
    parser.add_argument("--timeframe", choices=TIMEFRAMES, default="1h", help="of the candles (default: 1h)")
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
        "--file",
        dest="files",
        metavar="KIND=PATH",
        type=_file,
        action="append",
        default=[],
        help=f"a file that the bot reads in config['models'], of kind {', '.join(KINDS)}; repeat it for more",
    )


def add_trading_options(parser: argparse.ArgumentParser) -> None:
    """Add what an account and a market settle, and when the bot is first asked."""
    parser.add_argument(
        "--warm-up",
        metavar="CANDLES",
        type=_count,
        help="first candle that the bot decides on (default: what its class says as warm_up)",
    )
    parser.add_argument("--capital", type=_capital, default=Decimal(10000), help="in quote (default: 10000)")
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


def history_of(options: argparse.Namespace, warm_up: int, *, detail: Path | None = None) -> History:
    """Return the candles that the options name, of which the bot is asked from number `warm_up` on."""
    if options.candles is None:
        candles = REFERENCE.candles(options.timeframe, warm_up + _SAMPLE_CANDLES)
    else:
        candles = read_candles(options.candles)
        _check_fit(candles, options.timeframe, warm_up)
    return History(
        with_indicators(candles, options.timeframe),
        options.timeframe,
        first=warm_up - 1,
        detail=None if detail is None else _detail(detail, options.timeframe),
    )


def terms_of(options: argparse.Namespace) -> Terms:
    """Return the account and market that the trading options describe."""
    risk = {name: getattr(options, name) for name, _ in _EXITS.values()}
    return Terms(
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


def _check_fit(candles: pd.DataFrame, timeframe: str, warm_up: int) -> None:
    if len(candles) < warm_up:
        raise UsageError(
            f"The file has {len(candles)} candles and the bot first decides on candle {warm_up}: use a "
            f"longer file, or let it begin at {len(candles)} or less (warm_up in its class, or --warm-up)."
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


def _file(text: str) -> ModelFile:
    kind, _, name = text.partition("=")
    if kind not in KINDS or not name:
        raise argparse.ArgumentTypeError(f"expected KIND=PATH such as MODEL=model.onnx, not {text!r}")
    path = Path(name)
    try:
        return ModelFile(kind, path.name, path.read_bytes())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read ({error.strerror}): pass another") from error
