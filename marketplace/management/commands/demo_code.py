import time
from typing import Any

from allauth.mfa.app_settings import TOTP_PERIOD
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketplace import demo


class Command(BaseCommand):
    help = "Print what the demo staff's authenticator apps would show now; with DEMO=true only."

    def handle(self, **_options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is no demo (DEMO=true): people's codes come from their own apps.")
        now, next_ones = demo.codes(), demo.codes(after_seconds=TOTP_PERIOD)
        left = TOTP_PERIOD - int(time.time()) % TOTP_PERIOD
        for username, code in now.items():
            self.stdout.write(f"{username}: {code} for another {left} s, then {next_ones[username]}")
