from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from exchanges.models import Market
from execution import schedule
from marketplace import demo, roles
from marketplace.static_files import collect_when_changed


class Command(BaseCommand):
    help = "Bring database, static files, schedule, roles, markets and, with DEMO=true, the demo up to date."

    def handle(self, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
        collect_when_changed()
        schedule.install()
        roles.install()
        if settings.DEMO:
            demo.seed(settings.DEMO_PASSWORD)
        known = set(Market.objects.values_list("exchange", flat=True).distinct())
        missing = [exchange for exchange in settings.SUPPORTED_EXCHANGES if exchange not in known]
        if missing:
            self._load_markets(missing)

    def _load_markets(self, exchanges: list[str]) -> None:
        try:
            call_command("refresh_markets", *exchanges)
        except CommandError as error:
            self.stderr.write(
                f"{error}\nNobody can subscribe there before the markets are loaded. This is tried again "
                "every hour, and by `manage.py refresh_markets`."
            )
