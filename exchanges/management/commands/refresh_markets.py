from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchanges.errors import ExchangeError
from exchanges.markets import refresh_markets


class Command(BaseCommand):
    help = "Bring the list of markets, their steps, minimums and fees up to date with the exchanges."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "exchanges", nargs="*", help="such as BINANCE (default: all of SUPPORTED_EXCHANGES)"
        )

    def handle(self, *, exchanges: list[str], **_options: Any) -> None:
        failures = []
        for exchange in exchanges or settings.SUPPORTED_EXCHANGES:
            try:
                self.stdout.write(f"{exchange}: {refresh_markets(exchange)} markets")
            except ExchangeError as error:
                failures.append(str(error))
        if failures:
            raise CommandError("\n".join(failures))
