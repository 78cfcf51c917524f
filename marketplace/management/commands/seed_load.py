from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from marketplace.load import AlreadyFilled, fill


class Command(BaseCommand):
    help = "Fill a database of its own with many bots and subscriptions, to measure pages and queries."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bots", type=int, default=10_000)
        parser.add_argument("--subscriptions", type=int, default=100_000)
        parser.add_argument(
            "--into", default="", metavar="DATABASE", help="its name, which without DEBUG has to be given"
        )

    def handle(self, *, bots: int, subscriptions: int, into: str, **_options: Any) -> None:
        if bots < 1 or subscriptions < 0:
            raise CommandError("Expected at least one bot, and no fewer than no subscriptions.")
        name = connection.settings_dict["NAME"]
        if into != name and (into or not settings.DEBUG):
            raise CommandError(
                f"These rows cannot be told from real ones on pages, and are not removed again. "
                f"The database is {name}: if it is for measuring only, say --into {name}."
            )
        try:
            fill(bots=bots, subscriptions=subscriptions)
        except AlreadyFilled as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{bots} bots and {subscriptions} subscriptions are in {name}.")
