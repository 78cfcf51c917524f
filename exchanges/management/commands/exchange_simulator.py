import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchanges.simulator.server import serve


def natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"expected 0 or more, got {text}")
    return number


class Command(BaseCommand):
    help = "Serve a simulated Binance (public market data, no orders) on 127.0.0.1 until Ctrl-C or SIGTERM."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8899, help="0 takes a free one (default: 8899)")
        parser.add_argument(
            "--seed", type=natural, default=1, help="chooses the market's history (default: 1)"
        )

    def handle(self, *, port: int, seed: int, verbosity: int, **_options: Any) -> None:
        stop = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        try:
            with serve(port, seed, on_request=self.stdout.write if verbosity > 1 else None) as url:
                self.stdout.write(f"The exchange simulator answers at {url} (seed {seed}).")
                self.stdout.flush()
                stop.wait()
        except (OSError, OverflowError) as error:
            raise CommandError(f"Port {port} cannot be used ({error}); choose another --port.") from error
