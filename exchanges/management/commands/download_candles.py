import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from bot_sdk.timeframes import duration
from exchanges import history
from exchanges.errors import CandleStoreError, ExchangeError, ExchangeUnavailable
from exchanges.gateway import PublicGateway
from exchanges.gateways import public_gateway
from exchanges.models import Market

SILENT_SECONDS = 1.0  # a shorter pause is not worth a line


class Command(BaseCommand):
    help = (
        "Download candles into the history. It may be stopped anywhere and started again: what is there is "
        "not asked for twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("exchange", type=str.upper, help="such as BINANCE")
        parser.add_argument("pairs", type=_listed, metavar="PAIR[,PAIR…]", help="such as BTC/USDT,ETH/USDT")
        parser.add_argument("timeframes", type=_listed, metavar="TIMEFRAME[,…]", help="such as 1h,1d")
        parser.add_argument(
            "--since",
            type=_day,
            required=True,
            metavar="YYYY-MM-DD",
            help="a day (UTC) of the first month to have; months are downloaded from their beginning",
        )
        parser.add_argument(
            "--until",
            type=_day,
            metavar="YYYY-MM-DD",
            help="the day (UTC) before which to end (default: now)",
        )

    def handle(
        self,
        *,
        exchange: str,
        pairs: list[str],
        timeframes: list[str],
        since: datetime,
        until: datetime | None,
        **options: Any,
    ) -> None:
        _require_order(since, until)
        self._screen: IO[str] = options.get("stderr") or sys.stderr
        try:
            gateway = public_gateway(exchange)
            for market, timeframe in _series(exchange, pairs, timeframes):
                plan = history.plan(market, timeframe, gateway, since=since, until=until, wait=self._wait)
                self._download(plan, gateway)
        except ExchangeUnavailable as error:
            raise CommandError(f"{error}\nWhat came is stored; run this again to go on.") from error
        except (ExchangeError, CandleStoreError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. What came is stored; run this again to go on.") from None

    def _download(self, plan: history.Plan, gateway: PublicGateway) -> None:
        if plan.is_cut:
            self._say(
                f"{_title(plan)}: {plan.market.get_exchange_display()} gives its newest "
                f"{history.NEWEST_ONLY[plan.market.exchange]} candles only; there is no way to those opened "
                f"before {_text(plan.begin)}."
            )
        with _progress(plan, self._screen) as show:
            for step in history.download(plan, gateway, self._wait):
                show(step)
        self.stdout.write(_summary(plan, history.report(plan)))

    def _wait(self, seconds: float) -> None:
        if seconds >= SILENT_SECONDS:
            self._say(f"The exchange, or what we may ask of it, lets us wait for {seconds:.0f} s.")
        time.sleep(seconds)

    def _say(self, line: str) -> None:
        tqdm.write(line, file=self._screen)


@contextmanager
def _progress(plan: history.Plan, screen: IO[str]) -> Iterator[Callable[[history.Step], None]]:
    """Give what shows a step: on a bar where somebody watches, else as a line."""
    if not screen.isatty():
        yield lambda step: print(
            f"{_title(plan)}: {step.added} new candles, asked until {_text(step.asked_until)}",
            file=screen,
            flush=True,
        )
        return
    with tqdm(total=plan.count, desc=_title(plan), unit=" candles", file=screen) as bar:

        def show(step: history.Step) -> None:
            bar.update((step.asked_until - plan.begin) // duration(plan.timeframe) - bar.n)

        yield show
        bar.update(plan.count - bar.n)  # the months that were there


def _summary(plan: history.Plan, report: history.Report) -> str:
    if report.first is None or report.last is None:
        return f"{_title(plan)}: no candle from {_text(plan.begin)} to {_text(plan.end)}."
    stored = f"{report.count:,} candles from {_text(report.first)} to {_text(report.last)}"
    if not report.gaps:
        return f"{_title(plan)}: {stored}, without a gap."
    longest = max(report.gaps, key=lambda gap: gap.count)
    missing = sum(gap.count for gap in report.gaps)
    return (
        f"{_title(plan)}: {stored}; gaps: {len(report.gaps):,}, candles missing: {missing:,}, longest gap: "
        f"{longest.count:,} from {_text(longest.first)} to {_text(longest.last)}."
    )


def _series(exchange: str, pairs: list[str], timeframes: list[str]) -> list[tuple[Market, str]]:
    """Return what is to be downloaded, or a CommandError before anything is."""
    markets = {each.trading_pair: each for each in Market.objects.filter(exchange=exchange)}
    unknown = [pair for pair in pairs if pair not in markets]
    if unknown:
        raise CommandError(
            f"Expected pairs of {exchange} as base/quote, such as BTC/USDT; it does not list "
            f"{', '.join(unknown)}. `refresh_markets {exchange}` brings the list up to date."
        )
    series = [(markets[pair], timeframe) for pair in pairs for timeframe in timeframes]
    for market, timeframe in series:
        if timeframe not in market.timeframes:
            raise CommandError(
                f"Expected timeframes of {exchange}, {', '.join(market.timeframes)}; got {timeframe!r}."
            )
    return series


def _require_order(since: datetime, until: datetime | None) -> None:
    now = timezone.now()
    if since > now or (until is not None and until > now):
        raise CommandError(f"Expected days that have begun, until {now:%Y-%m-%d}; got one in the future.")
    if until is not None and until <= since:
        raise CommandError(f"Expected --until after --since, got {until:%Y-%m-%d} and {since:%Y-%m-%d}.")


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a day such as 2024-01-31, got {text!r}") from None


def _listed(text: str) -> list[str]:
    parts = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not parts:
        raise argparse.ArgumentTypeError(f"expected one or more, with commas between them, got {text!r}")
    return parts


def _title(plan: history.Plan) -> str:
    return f"{plan.market.trading_pair} {plan.timeframe}"


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
