from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketplace import demo


class Command(BaseCommand):
    help = "Print what the demo staff's authenticator apps would show now; with DEMO=true only."

    def handle(self, **_options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is no demo (DEMO=true): people's codes come from their own apps.")
        for username, code in demo.codes().items():
            self.stdout.write(f"{username}: {code} (for another {demo.code_lasts()} s)")
