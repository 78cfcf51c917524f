import argparse
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bot_sdk.candle_file import CandleFileError, read_candles
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.server import serve
from exchanges.simulator.tape import CandleTape


class Command(BaseCommand):
    help = "Serve simulated Binance, Coinbase and Kraken spot on 127.0.0.1 until Ctrl-C or SIGTERM."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8899, help="0 takes a free one (default: 8899)")
        parser.add_argument(
            "--seed", type=_natural, default=1, help="chooses the market's history (default: 1)"
        )
        parser.add_argument(
            "--speed", type=_speed, default=1.0, help="how much faster time goes than ours (default: 1)"
        )
        parser.add_argument(
            "--candles",
            type=_series,
            action="append",
            default=[],
            metavar="PAIR=FILE.csv",
            help="play these candles in place of the seed's, such as BTC/USDT=btc.csv; may be repeated",
        )
        parser.add_argument(
            "--start",
            type=_day,
            metavar="YYYY-MM-DD",
            help="the day of the files that is to be today (default: the last one)",
        )
        parser.add_argument(
            "--no-limits", action="store_true", help="tell nobody to ask less, however often they ask"
        )

    def handle(
        self,
        *,
        port: int,
        seed: int,
        speed: float,
        candles: list[tuple[str, Path]],
        start: datetime | None,
        no_limits: bool,
        verbosity: int,
        **_options: Any,
    ) -> None:
        stop = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        tapes = {symbol: _tape(symbol, file, start) for symbol, file in candles}
        on_request: Callable[[str], None] | None = self.stdout.write if verbosity > 1 else None
        try:
            with serve(
                port, seed, speed=speed, has_limits=not no_limits, tapes=tapes, on_request=on_request
            ) as url:
                self.stdout.write(f"The exchange simulator answers at {url} (seed {seed}).")
                self.stdout.flush()
                stop.wait()
        except (OSError, OverflowError) as error:
            raise CommandError(f"Port {port} cannot be used ({error}); choose another --port.") from error


def _tape(symbol: str, file: Path, start: datetime | None) -> CandleTape:
    """Return the file's candles, moved by whole days so that `start` is today."""
    try:
        candles = read_candles(file)
        first = candles.index[-1].to_pydatetime() if start is None else start
        days = (datetime.now(UTC).date() - first.date()).days
        listing = LISTINGS[symbol]
        return CandleTape(candles, listing.tick, listing.step, days)
    except (CandleFileError, ValueError) as error:
        raise CommandError(f"{file}: {error}") from error


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return number


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 100_000:
        raise argparse.ArgumentTypeError(f"expected more than 0 and at most 100,000, got {text}")
    return speed


def _series(text: str) -> tuple[str, Path]:
    pair, has_file, file = text.partition("=")
    symbol = pair.replace("/", "")
    if not has_file or symbol not in LISTINGS:
        pairs = ", ".join(f"{each.base}/{each.quote}" for each in LISTINGS.values())
        raise argparse.ArgumentTypeError(f"expected PAIR=FILE.csv with a pair of {pairs}; got {text!r}")
    return symbol, Path(file)


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a day such as 2024-01-31, got {text!r}") from None
